"""AWS's own SDK under load: slow subscribers, very many subscriptions, killed clients, and memory that stays flat."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from awsiot.greengrasscoreipc import model as m

from lineside.agent.bus import buffers
from lineside.agent.bus.ports import BrokerMessage
from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Sdk
from tests.eventually import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20


@contextlib.contextmanager
def _program(name: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"tests.agent.bus.{name}"]
    variables = os.environ | {"MALLOC_ARENA_MAX": "1"} | (environment or {})
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _ask(process: subprocess.Popen[str], line: str) -> int:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return int(_line(process.stdout))


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    found = stream.readline()
    assert found, "the program has ended"
    return found


def test_awsiotsdk_memory_is_flat_over_ten_thousand_calls_on_both_sides() -> None:
    with _program("serve") as bus:
        variables = json.loads(_line(bus.stdout))
        with _program("calling", variables) as client:
            client_before, bus_before = _ask(client, "2000"), _ask(bus, "")
            client_after, bus_after = _ask(client, "10000"), _ask(bus, "")
    # A call that is kept costs the SDK 6 KiB: 60 MiB in all.
    assert client_after - client_before < 4 * MIB
    # The broker in memory keeps every message that was published, 1,000 small ones here.
    assert bus_after - bus_before < 4 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_awsiotsdk_three_hundred_subscriptions_on_one_connection(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    opened = [sdk.open(m.SubscribeToTopicRequest(topic=f"t/{number}"))[1] for number in range(298)]
    opened += [sdk.open(m.SubscribeToTopicRequest(topic=topic))[1] for topic in ("t/+", "t/#")]
    other = Sdk(house, version, "other")
    message = m.PublishMessage(json_message=m.JsonMessage(message={"x": 1}))
    for number in range(298):
        other.call(m.PublishToTopicRequest(topic=f"t/{number}", publish_message=message))
    for number, events in enumerate(opened[:298]):
        assert events.next().json_message.context.topic == f"t/{number}"
        assert events.none()
    for events in opened[298:]:
        topics = [events.next().json_message.context.topic for _ in range(298)]
        assert topics == [f"t/{number}" for number in range(298)]
    for events in opened:
        events.operation.close()
    eventually(lambda: list(house.bus._pubsub._subscriptions) == [])


def test_awsiotsdk_a_slow_subscriber_loses_its_oldest_events_and_nobody_else_waits(house: House) -> None:
    """Its callback runs on the V1 client's network thread, so it stops reading. What waits for it is bounded; once it
    reads again it gets the newest, and its connection still works."""
    release, entered = threading.Event(), threading.Event()
    heard: list[int] = []
    slow = Sdk(house, 1, "other")

    class Handler(__import__("awsiot.greengrasscoreipc.client", fromlist=["x"]).SubscribeToIoTCoreStreamHandler):  # type: ignore[misc]
        def on_stream_event(self, event: Any) -> None:
            entered.set()
            release.wait(PATIENCE)
            heard.append(int(event.message.topic_name))

    operation = slow.v1.new_subscribe_to_iot_core(Handler())
    operation.activate(m.SubscribeToIoTCoreRequest(topic_name="+", qos="0")).result(PATIENCE)
    operation.get_response().result(PATIENCE)
    quick = Sdk(house, 1)
    _, events = quick.open(m.SubscribeToIoTCoreRequest(topic_name="+", qos="0"))
    total = 400
    for number in range(total):
        house.broker.publish(BrokerMessage(topic=str(number), payload=bytes(50_000)))
        assert events.next().message.topic_name == str(number)
    assert entered.is_set()
    assert house.bus._server._budget.used < 2 * buffers.EVENTS_CAP
    dropped = house.bus.dropped
    assert dropped > 0
    release.set()
    eventually(lambda: heard and heard[-1] == total - 1)
    assert heard == sorted(heard)
    assert len(heard) == total - dropped
    assert slow.call(m.GetConfigurationRequest()).component_name == "other"


def test_awsiotsdk_a_client_killed_in_the_middle_of_a_call_leaves_nothing(house: House) -> None:
    house.host.hold.clear()
    script = (
        "from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2 as C;"
        "c = C(); c.subscribe_to_topic(topic='a', on_stream_event=print);"
        "c.subscribe_to_iot_core(topic_name='a', qos='1', on_stream_event=print);"
        "c.subscribe_to_configuration_update(on_stream_event=print);"
        "f = c.restart_component_async(component_name='other'); print('called', flush=True); f.result()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | house.environment(), stdout=subprocess.PIPE, text=True
    )
    assert _line(process.stdout) == "called\n"
    eventually(lambda: house.bus.listens("app") and house.broker.subscribed() == 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    eventually(lambda: not house.bus._server._connections)
    assert not house.bus.listens("app")
    assert house.broker.subscribed() == 0
    house.host.hold.set()
    eventually(lambda: house.host.calls == [("restart", "other")])
    assert Sdk(house, 2).call(m.GetConfigurationRequest()).component_name == "app"
    eventually(lambda: house.bus._server._budget.used == 0)


def test_awsiotsdk_asks_many_things_at_once(house: House) -> None:
    """Calls that wait in other threads are answered on their own streams, whatever comes first."""
    sdk = Sdk(house, 2)
    waiting = [sdk.v2.publish_to_iot_core_async(topic_name=str(n), qos="1", payload=b"x") for n in range(500)]
    reading = [sdk.v2.get_configuration_async(key_path=["level"]) for _ in range(500)]
    assert all(one.result(20).value == {"level": 3} for one in reading)
    assert all(isinstance(one.result(20), m.PublishToIoTCoreResponse) for one in waiting)
    assert [one.topic for one in house.broker.published] == [str(n) for n in range(500)]
