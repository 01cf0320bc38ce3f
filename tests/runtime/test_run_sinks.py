"""The runtime as a process with rules and several sinks: file, webhook and the agent's bus, one of them away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from awsiot.greengrasscoreipc import model as m

from lineside.contract.result import Result
from lineside.runtime.status import RuntimeState, read_status
from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Sdk
from tests.eventually import PATIENCE, eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.sinks.receiver import Receiver
from tests.runtime.test_run import Device, put


@pytest.fixture
def device(tmp_path: Path, bright_folder: Path) -> Iterator[Device]:
    made = Device(tmp_path / "device", bright_folder)
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path / "root").running() as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


LEFT_HALF = {"unit": "shares", "zone": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}


def test_rules_fire_and_every_sink_hears_of_it(device: Device, house: House, receiver: Receiver) -> None:
    _, heard = Sdk(house, 2, "other").open(m.SubscribeToTopicRequest(topic="line/reject"))
    receiver.answers = [503]
    device.environment = house.environment("app")
    device.configuration |= {
        "rules": {
            "left": {"action": "reject", "classes": ["bright"], "deadline_ms": 5000} | LEFT_HALF,
            "empty": {"action": "look", "at_least": 0, "at_most": 0},
        },
        "sinks": {
            "jsonl": {"path": "out/results.jsonl"},
            "webhook": {"url": receiver.url},
            "bus": {"events_topic": "line/reject"},
        },
    }
    for number, corner in enumerate([(8, 8), (48, 8), None, (0, 40)]):
        put(device.inbox, f"{number}.png", encoded(squares(*([corner] if corner else []))), age=60 - number)
    device.start()
    device.until(lambda status: status.published == 4)
    assert device.stop() == 0
    lines = (device.work / "out/results.jsonl").read_bytes().splitlines()
    results = [msgspec.json.decode(line, type=Result) for line in lines]
    # files of a minute ago: late
    expected = [[("left", True)], [], [("empty", False)], [("left", True)]]
    assert [[(fired.name, fired.late) for fired in each.events] for each in results] == expected
    events = [heard.next().json_message.message for _ in range(3)]
    assert [(each["sequence"], each["action"]) for each in events] == [(1, "reject"), (3, "look"), (4, "reject")]
    taken = [sequence for post in receiver.posts[1:] for sequence in post.sequences]
    assert taken == [1, 2, 3, 4]
    assert [each["name"] for post in receiver.posts[1:] for each in post.said["events"]] == ["left", "empty", "left"]


def test_a_sink_that_is_away_holds_no_other_and_has_its_results_after_a_restart(
    device: Device, receiver: Receiver
) -> None:
    receiver.answers = [503] * 1000
    device.configuration["sinks"] = {"jsonl": {}, "webhook": {"url": receiver.url}}
    for number in range(5):
        put(device.inbox, f"{number}.png", encoded(squares((number, number))), age=60 - number)
    device.start()
    eventually(lambda: len(device.results()) == 5)
    status = device.until(lambda each: "webhook" in each.sinks and bool(each.sinks["webhook"].trouble))
    assert "503" in status.sinks["webhook"].trouble
    assert status.published == 0
    assert device.stop(signal.SIGKILL) != 0
    receiver.answers.clear()
    device.start()
    device.until(lambda each: "webhook" in each.sinks and each.sinks["webhook"].delivered == 5)
    assert device.stop() == 0
    assert [each.sequence for each in device.results()] == [1, 2, 3, 4, 5]
    assert receiver.posts[-1].sequences[-1] == 5


@pytest.mark.parametrize(
    ("configuration", "code", "words"),
    [
        ({"rules": {"left": {"classes": ["brihgt"]}}}, "rules.invalid", "did you mean 'bright'"),
        ({"rules": {"left": {"frames": [3, 2]}}}, "rules.invalid", "rule left cannot be followed: frames"),
        ({"sinks": {"webhook": {"url": "http://example.com"}}}, "sink.invalid", "webhook cannot be used: url"),
        ({"sinks": {"mqtt": {}}}, "sink.invalid", "the agent names no broker"),
        ({"sinks": {"webhok": {}}}, "config.invalid", "webhook"),
        ({"rules": {"left": {"zonne": []}}}, "config.invalid", "zone"),
    ],
)
def test_what_cannot_be_followed_is_said_by_name_at_start(
    device: Device, configuration: dict[str, object], code: str, words: str
) -> None:
    device.configuration |= configuration
    device.start()
    assert device.process
    assert device.process.wait(PATIENCE) == 2
    status = read_status(device.work)
    assert status
    assert status.state is RuntimeState.FAILED
    assert status.error
    assert status.error.code == code
    assert words in status.error.message
