"""Users' own systems get results in the version they were promised, whichever the runtime writes otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from awsiot.greengrasscoreipc import model as m

from lineside.contract.result import Result
from lineside.runtime.rules.messages import events_of
from lineside.runtime.sinks import bus, jsonl, webhook
from lineside.runtime.sinks.fixed import fixed
from lineside.runtime.sinks.settings import BusSinkSettings, WebhookSinkSettings
from lineside.runtime.spool import Entry
from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Sdk
from tests.runtime.sinks.receiver import Receiver
from tests.runtime.sinks.test_webhook import FIRED
from tests.runtime.test_delivery import result
from tests.schema_versions import NEW, OLD, write

ONE = msgspec.structs.replace(result(1), events=(FIRED,))
FIRST, LATER = Entry(1, msgspec.json.encode(ONE)), Entry(1, write(ONE))


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that writes version 2."""
    for sink in (jsonl, webhook, bus):
        monkeypatch.setattr(sink, "fixed", partial(fixed, schema=NEW))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.mark.usefixtures("newer")
def test_the_file_keeps_its_version(tmp_path: Path) -> None:
    sink = jsonl.JsonlSink(tmp_path / "results.jsonl")
    sink.send([LATER])
    sink.close(0)
    again = jsonl.JsonlSink(tmp_path / "results.jsonl")
    again.send([LATER])  # after a power cut: it is there, in other words than it comes in
    again.close(0)
    assert (tmp_path / "results.jsonl").read_bytes() == FIRST.payload + b"\n"


@pytest.mark.usefixtures("newer")
def test_so_does_the_webhook_with_its_events(receiver: Receiver) -> None:
    sink = webhook.WebhookSink(WebhookSinkSettings(url=receiver.url, only_events=True), "cam-1", Path())
    sink.send([LATER])
    sink.close(0)
    (post,) = receiver.posts
    assert msgspec.convert(post.said["results"], list[Result]) == [ONE]
    assert [each["name"] for each in post.said["events"]] == ["scratched"]


@pytest.mark.usefixtures("newer")
def test_so_does_the_bus(tmp_path: Path) -> None:
    with House(tmp_path / "root").running() as house:
        _, heard = Sdk(house, 2, "other").open(m.SubscribeToTopicRequest(topic="line/results"))
        sink = bus.BusSink(BusSinkSettings(topic="line/results"), house.environment("app"))
        sink.send([LATER])
        assert msgspec.convert(heard.next().json_message.message, Result) == ONE
        sink.close(0)


def test_what_a_later_release_wrote_holds_up_nothing() -> None:
    """The device went back: this release reads no version 2, and who listens waits for no upgrade."""
    (one,) = fixed([LATER], OLD)
    assert one == LATER
    unreadable = Entry(2, LATER.payload.replace(b'"width":64,', b""))
    assert (len(events_of(FIRST)), events_of(unreadable)) == (1, [])
