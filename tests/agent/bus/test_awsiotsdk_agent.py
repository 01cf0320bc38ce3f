"""The whole way: a real agent, a real broker over TLS, and components whose scripts use AWS's own SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.agent.bus.routes import ROUTER
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from lineside.contract.recipes.builtin import builtin_digest, builtin_target, builtin_version
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.broker import Listener, Mosquitto
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

pytestmark = pytest.mark.mosquitto

START = """
import sys, threading
from awsiot.greengrasscoreipc import model as m
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
bus = GreengrassCoreIPCClientV2()
def local(topic, text):
    message = m.PublishMessage(binary_message=m.BinaryMessage(message=text))
    bus.publish_to_topic(topic=topic, publish_message=message)
def cloud(topic, text):
    bus.publish_to_iot_core(topic_name=topic, qos="1", payload=text)
"""

ASKED = """
bus.subscribe_to_iot_core(topic_name="plant/ask", qos="1", on_stream_event=lambda e: local("asked", e.message.payload))
print("ready", flush=True)
threading.Event().wait()
"""

ANSWERS = """
def asked(event):
    level = bus.get_configuration(key_path=["level"]).value["level"]
    cloud("plant/answer", event.binary_message.message + b" %d" % level)
bus.subscribe_to_topic(topic="asked", on_stream_event=asked)
bus.subscribe_to_configuration_update(on_stream_event=lambda e: cloud("plant/changed", repr(e).encode()))
cloud("plant/ready", b"answers")
threading.Event().wait()
"""

ROUTED = """
bus.subscribe_to_topic(topic="line/ask/+", on_stream_event=lambda e: local("line/answer", e.binary_message.message))
local("line/answer", b"ready")
threading.Event().wait()
"""

REFUSED = """
try:
    cloud("plant/forbidden", b"")
except m.UnauthorizedError as error:
    print("refused:", error.message, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def broker(plane: ControlPlane, agent: AgentProcess, tmp_path: Path) -> Iterator[Mosquitto]:
    found = Mosquitto(plane, tmp_path / "broker")
    found.start()
    found.used_by(agent)
    yield found
    found.kill()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    found = Listener(broker)
    yield found
    found.close()


def _component(name: str, script: str, **configuration: Any) -> dict[str, Any]:
    program = f"exec \"$LINESIDE_PYTHON\" - <<'END'\n{START}{script}\nEND"
    return recipe(name, configuration=configuration, Run=program)


def _allowed(name: str) -> dict[str, Any]:
    service = "aws.greengrass.ipc"
    return {
        f"{service}.{one}": {f"{name}:{one}:1": {"operations": ["*"], "resources": ["*"]}}
        for one in ("pubsub", "mqttproxy")
    }


def _printed(agent: AgentProcess, name: str) -> str:
    log = agent.paths.log(name)
    return log.read_text() if log.exists() else ""


def _ask(listener: Listener, topic: str, text: bytes) -> None:
    listener.client.publish(topic, text, qos=1).wait_for_publish(10)


def test_awsiotsdk_components_talk_to_one_another_and_to_the_broker_through_the_agent(
    plane: ControlPlane, agent: AgentProcess, listener: Listener
) -> None:
    asked = plane.release(_component("asked", ASKED, accessControl=_allowed("asked")))
    answers = plane.release(_component("answers", ANSWERS, accessControl=_allowed("answers"), level=3))
    refused = plane.release(_component("refused", REFUSED))
    agent.start()
    plane.wait_report(plane.want(asked, answers, refused), Phase.HEALTHY)
    eventually(lambda: listener.payloads("plant/ready"))
    eventually(lambda: "ready" in _printed(agent, "asked"))

    def answered(text: bytes) -> bool:
        _ask(listener, "plant/ask", b"how many?")  # the broker may not know of the subscription yet
        return text in listener.payloads("plant/answer")

    eventually(lambda: answered(b"how many? 3"))
    eventually(lambda: "refused: refused is not authorized" in _printed(agent, "refused"))
    assert listener.payloads("plant/forbidden") == []

    pids = agent.children()
    changed = msgspec.structs.replace(answers, configuration_update=ConfigurationUpdate(merge={"level": 4}))
    plane.wait_report(plane.want(asked, changed, refused), Phase.HEALTHY)
    (event,) = eventually(lambda: listener.payloads("plant/changed"))
    assert b"key_path=['level']" in event
    eventually(lambda: answered(b"how many? 4"))
    assert agent.children() == pids  # it listens, so nothing was restarted


def test_awsiotsdk_a_request_topic_reaches_a_component_and_its_answer_the_broker_by_subscriptions_alone(
    plane: ControlPlane, agent: AgentProcess, listener: Listener
) -> None:
    routes = {
        "ask": {"id": "ask", "source": "cloud", "subject": "line/ask/+", "target": "component:routed"},
        "answer": {"id": "answer", "source": "component:routed", "subject": "line/answer", "target": "cloud"},
    }
    router = DesiredComponent(
        name=ROUTER,
        version=builtin_version(ROUTER) or "",
        target=builtin_target(ROUTER) or "",
        recipe_digest=builtin_digest(ROUTER) or "",
        configuration_update=ConfigurationUpdate(merge={"subscriptions": routes}),
    )
    agent.start()
    routed = recipe(
        "routed", dependencies={ROUTER: ">=2.0.0"}, Run=_component("routed", ROUTED)["Manifests"][0]["Lifecycle"]["Run"]
    )
    plane.wait_report(plane.want(router, plane.release(routed)), Phase.HEALTHY)
    eventually(lambda: b"ready" in listener.payloads("line/answer"))
    eventually(lambda: (_ask(listener, "line/ask/1", b"?"), b"?" in listener.payloads("line/answer"))[1])


def test_awsiotsdk_a_component_finds_the_bus_below_a_very_long_root(plane: ControlPlane, tmp_path: Path) -> None:
    root = tmp_path / ("very-long" * 15)
    agent = AgentProcess(root, plane)
    agent.join()
    agent.start()
    try:
        script = "bus.update_state(state='RUNNING'); print(bus.get_configuration().value, flush=True)"
        plane.wait_report(plane.want(plane.release(_component("far", script, here=True))), Phase.HEALTHY)
        eventually(lambda: "{'here': True}" in _printed(agent, "far"))
        assert (root / "ipc.socket").is_symlink()
        folder = (root / "ipc.socket").readlink().parent
    finally:
        assert agent.end() == 0
    assert not os.path.lexists(root / "ipc.socket")
    assert not folder.exists()
