"""The MQTT link and a real Mosquitto over TLS: hints, messages that survive absence and kill -9, subscriptions."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.agent.bus.ports import BrokerMessage
from lineside.agent.health.conditions import Conditions
from lineside.agent.link import join_state, mqtt
from lineside.agent.link.mqtt import Mqtt
from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.broker import Listener, Mosquitto, free_port
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.link.networks import Proxy, says_over_tls, server
from tests.eventually import eventually


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect within a second, so that tests end soon."""
    monkeypatch.setattr(mqtt, "MIN_WAIT", 0.1)
    monkeypatch.setattr(mqtt, "MAX_WAIT", 0.2)


@pytest.fixture
def broker(plane: ControlPlane, tmp_path: Path) -> Iterator[Mosquitto]:
    found = Mosquitto(plane, tmp_path / "broker")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def link(agent: AgentProcess, broker: Mosquitto) -> Iterator[Mqtt]:
    """Started, not necessarily connected yet."""
    found = Mqtt(broker.used_by(agent), agent.paths)
    found.start()
    yield found
    found.stop()


def message(number: int, qos: int = 1) -> BrokerMessage:
    return BrokerMessage(topic="line/3/count", payload=str(number).encode(), qos=qos)


def numbers(listener: Listener) -> list[int]:
    return [int(payload) for payload in listener.payloads("line/3/count")]


def in_first_arrival_order(heard: list[int]) -> list[int]:
    return list(dict.fromkeys(heard))


@pytest.mark.mosquitto
def test_messages_of_both_qualities_arrive_and_leave_the_spool(link: Mqtt, broker: Mosquitto) -> None:
    listener = Listener(broker)
    for number in range(200):
        link.publish(message(number, qos=number % 2))
    eventually(lambda: len(set(numbers(listener))) == 200)
    eventually(lambda: link.waiting() == 0)
    listener.close()


@pytest.mark.mosquitto
def test_what_was_published_while_the_broker_was_away_arrives_in_order(link: Mqtt, broker: Mosquitto) -> None:
    eventually(link.connected)
    broker.kill()
    eventually(lambda: not link.connected())
    for number in range(300):
        link.publish(message(number))
    assert link.waiting() == 300
    broker.start()
    listener = Listener(broker)  # the link may have come back first: what it sent before is not heard here
    eventually(lambda: link.waiting() == 0)
    link.publish(message(300))
    eventually(lambda: 300 in numbers(listener))
    heard = in_first_arrival_order(numbers(listener))
    assert heard == list(range(heard[0], 301))
    listener.close()


@pytest.mark.mosquitto
def test_a_broker_killed_in_the_middle_costs_no_message(link: Mqtt, broker: Mosquitto) -> None:
    """At least once: what the broker acknowledged before it died may be gone with it, so a listener is there first."""
    listener = Listener(broker)
    eventually(link.connected)
    for number in range(100):
        link.publish(message(number))
    eventually(lambda: link.waiting() < 90)
    broker.kill()
    left = link.waiting()
    for number in range(100, 150):
        link.publish(message(number))
    assert link.waiting() >= min(left, 50)
    broker.start()
    eventually(lambda: link.waiting() == 0)
    listener.wait_back()
    assert in_first_arrival_order(numbers(listener)) == sorted(set(numbers(listener)))
    listener.close()


_PUBLISH = """
import sys
from pathlib import Path
from lineside.agent.bus.ports import BrokerMessage
from lineside.agent.link import join_state
from lineside.agent.link.mqtt import Mqtt
from lineside.agent.paths import Paths
paths = Paths(Path(sys.argv[1]))
link = Mqtt(join_state.load(paths), paths)
link.start()
for number in range(10**6):
    link.publish(BrokerMessage(topic="line/3/count", payload=str(number).encode(), qos=1))
    print(number, flush=True)
"""


@pytest.mark.mosquitto
def test_what_was_taken_survives_kill_9(agent: AgentProcess, broker: Mosquitto) -> None:
    joined = broker.used_by(agent)
    broker.kill()
    command = [sys.executable, "-c", _PUBLISH, str(agent.paths.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        taken = [int(process.stdout.readline()) for _ in range(500)]
        process.send_signal(signal.SIGKILL)
    broker.start()
    listener = Listener(broker)
    link = Mqtt(joined, agent.paths)
    assert link.waiting() >= len(taken)
    link.start()
    eventually(lambda: link.waiting() == 0)
    eventually(lambda: set(taken) <= set(numbers(listener)))
    heard = in_first_arrival_order(numbers(listener))
    assert heard == sorted(heard)
    link.stop()
    listener.close()


@pytest.mark.mosquitto
def test_several_callbacks_a_filter_hear_each_message_and_stop_one_by_one(link: Mqtt, broker: Mosquitto) -> None:
    one: list[bytes] = []
    two: list[bytes] = []
    end_one = link.subscribe("plant/+/order", 1, lambda message: one.append(message.payload))
    link.subscribe("plant/#", 0, lambda message: two.append(message.payload))
    sender = broker.client("sender")
    eventually(lambda: (sender.publish("plant/7/order", b"a", qos=1), len(one) > 0 and len(two) > 0)[1])
    end_one()
    end_one()
    heard = len(one)
    eventually(lambda: (sender.publish("plant/7/order", b"b", qos=1), b"b" in two)[1])
    assert len(one) == heard or b"b" not in one
    sender.disconnect()
    sender.loop_stop()


@pytest.mark.mosquitto
def test_subscriptions_are_made_again_and_watchers_hear_of_it(link: Mqtt, broker: Mosquitto) -> None:
    heard: list[bytes] = []
    states: list[bool] = []
    link.watch(states.append)
    link.subscribe("plant/order", 1, lambda message: heard.append(message.payload))
    eventually(link.connected)
    broker.kill()
    eventually(lambda: not link.connected())
    broker.start()
    eventually(link.connected)
    sender = broker.client("sender")
    eventually(lambda: (sender.publish("plant/order", b"again", qos=1), b"again" in heard)[1])
    assert states[-2:] == [False, True]
    sender.disconnect()
    sender.loop_stop()


@pytest.mark.mosquitto
def test_a_callback_that_fails_harms_nobody_else(link: Mqtt, broker: Mosquitto) -> None:
    heard: list[bytes] = []

    def fail(message: BrokerMessage) -> None:
        raise RuntimeError("no")

    link.subscribe("plant/order", 1, fail)
    link.subscribe("plant/order", 1, lambda message: heard.append(message.payload))
    sender = broker.client("sender")
    eventually(lambda: (sender.publish("plant/order", b"x", qos=1), b"x" in heard)[1])
    assert link.connected()
    sender.disconnect()
    sender.loop_stop()


@pytest.mark.mosquitto
def test_a_broker_that_stays_away_is_a_condition_that_passes(agent: AgentProcess, broker: Mosquitto) -> None:
    conditions = Conditions()
    broker.kill()
    link = Mqtt(broker.used_by(agent), agent.paths, conditions)
    link.start()
    eventually(lambda: conditions.holds("link.broker"))
    assert str(broker.port) in conditions.current()[0].message
    broker.start()
    eventually(lambda: not conditions.holds("link.broker"))
    assert link.connected()
    link.stop()


@pytest.mark.parametrize(
    "topic", ["lineside/v1/cell-2/results", "lineside/v1/cell-1/hint", "$SYS/x", "a/+/b", "a/#", "", "a\0b", "a\ud800"]
)
def test_forbidden_topics_are_refused_before_anything_is_kept(agent: AgentProcess, topic: str) -> None:
    link = Mqtt(join_state.load(agent.paths), agent.paths)
    with pytest.raises(LinesideError, match=r"bus\.topic_forbidden"):
        link.publish(BrokerMessage(topic=topic, payload=b"", qos=1))
    assert link.waiting() == 0
    link.stop()


@pytest.mark.parametrize("pattern", ["#", "+/a", "lineside/v1/cell-2/hint", "$SYS/#", "a/#/b", "a/b+", "", "a#"])
def test_forbidden_filters_are_refused(agent: AgentProcess, pattern: str) -> None:
    link = Mqtt(join_state.load(agent.paths), agent.paths)
    with pytest.raises(LinesideError, match=r"bus\.topic_forbidden"):
        link.subscribe(pattern, 1, lambda message: None)
    link.stop()


def test_a_message_over_the_brokers_limit_is_refused(agent: AgentProcess) -> None:
    link = Mqtt(join_state.load(agent.paths), agent.paths)
    with pytest.raises(LinesideError, match=r"bus\.message_too_large"):
        link.publish(BrokerMessage(topic="a", payload=b"x" * (1 << 20), qos=1))
    link.stop()


@pytest.mark.mosquitto
def test_light_messages_wait_in_memory_within_bounds_and_the_oldest_goes(
    agent: AgentProcess, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "MEMORY_BYTES", 1000)
    link = Mqtt(broker.used_by(agent), agent.paths)
    for number in range(500):
        link.publish(message(number, qos=0))
    listener = Listener(broker)
    link.start()
    eventually(lambda: 499 in numbers(listener))
    heard = numbers(listener)
    assert heard == list(range(heard[0], 500))
    assert len(heard) <= 1000 // len("line/3/count")
    link.stop()
    listener.close()


@pytest.mark.mosquitto
def test_it_goes_through_the_proxy_too(agent: AgentProcess, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = msgspec.structs.replace(broker.used_by(agent), mqtt_host="plane.test", mqtt_port=8883)
    proxy, conditions = Proxy({"plane.test": broker.port}), Conditions()
    proxy.refusal = "403 Forbidden"
    with server(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        link = Mqtt(joined, agent.paths, conditions)
        link.start()
        eventually(lambda: conditions.holds("link.broker"))
        assert "403" in conditions.current()[0].message
        proxy.refusal = None
        eventually(link.connected)
        assert proxy.asked[-1] == "plane.test:8883"
        link.stop()


@pytest.mark.mosquitto
def test_a_hint_wakes_the_poll(plane: ControlPlane, agent: AgentProcess, broker: Mosquitto) -> None:
    broker.used_by(agent)
    first = plane.want(plane.release(recipe("app", "1.0.0")), poll_seconds=600.0)
    agent.start()
    plane.wait_report(first, Phase.HEALTHY)
    eventually(lambda: plane.served["desired"] >= 2)
    revision = plane.want(plane.release(recipe("app", "2.0.0")), poll_seconds=600.0)
    sender = broker.client("plane")
    sender.publish(topics.hint("cell-1"), b"", qos=1)
    plane.wait_report(revision, Phase.HEALTHY)
    sender.disconnect()
    sender.loop_stop()


def test_a_broker_that_is_away_changes_nothing(plane: ControlPlane, agent: AgentProcess) -> None:
    joined = msgspec.structs.replace(join_state.load(agent.paths), mqtt_host="127.0.0.1", mqtt_port=free_port())
    join_state.save(agent.paths, joined)
    agent.start()
    plane.wait_report(plane.want(plane.release(recipe())), Phase.HEALTHY)
    assert agent.end() == 0


@pytest.mark.parametrize("nonsense", [b"\xff" * 100, b"\x20\x02\x00\x05", b"\x20\x02\x00\x00\x30\xff\xff\xff\xff\xff"])
def test_a_broker_that_talks_nonsense_or_refuses_is_left_and_tried_again(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path, nonsense: bytes
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*plane.ca.server(tmp_path))
    conditions = Conditions()
    with server(says_over_tls(context, nonsense)) as port:
        joined = msgspec.structs.replace(join_state.load(agent.paths), mqtt_host="127.0.0.1", mqtt_port=port)
        link = Mqtt(joined, agent.paths, conditions)
        link.start()
        eventually(lambda: conditions.holds("link.broker"))
        link.publish(message(1))
        link.stop()
    assert Mqtt(joined, agent.paths).waiting() == 1


@pytest.mark.mosquitto
def test_a_flood_of_light_messages_does_not_pile_up_behind_a_slow_network(
    agent: AgentProcess, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing reads at the other side for a while: what waits stays within its bound, and the connection lives."""
    link = Mqtt(broker.used_by(agent), agent.paths)
    link.start()
    eventually(link.connected)
    broker.freeze()
    for number in range(2000):
        link.publish(BrokerMessage(topic="line/3/flood", payload=number.to_bytes(2, "big") * 4000, qos=0))
    assert link._light_bytes <= mqtt.MEMORY_BYTES
    broker.thaw()
    listener = Listener(broker)
    eventually(lambda: (link.publish(message(7)), 7 in numbers(listener))[1])
    link.stop()
    listener.close()


def test_stopping_does_not_wait_for_a_broker_that_never_answers(agent: AgentProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        joined = msgspec.structs.replace(join_state.load(agent.paths), mqtt_host="127.0.0.1", mqtt_port=port)
        link = Mqtt(joined, agent.paths)
        link.start()
        accepted, _ = silent.accept()
        stopper = threading.Thread(target=link.stop)
        stopper.start()
        stopper.join(8)  # less than a connection attempt may take
        assert not stopper.is_alive()
        accepted.close()
