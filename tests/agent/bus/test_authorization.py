"""accessControl: default deny, what a policy allows and no more, bad policies skipped and reported by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.agent.bus.authorization import Policies
from lineside.agent.bus.testing import FakeHost

PUBSUB = "aws.greengrass.ipc.pubsub"
MQTT = "aws.greengrass.ipc.mqttproxy"
PUBLISH = "aws.greengrass#PublishToTopic"


def _policy(operations: Any = (PUBLISH,), resources: Any = ("a/*",)) -> dict[str, Any]:
    return {"policyDescription": "…", "operations": list(operations), "resources": list(resources)}


def _policies(**components: Any) -> Policies:
    return Policies(FakeHost({name: {"accessControl": control} for name, control in components.items()}), "cell-1")


def test_nothing_is_allowed_by_default() -> None:
    assert not Policies(FakeHost({"app": {}}), "cell-1").allows("app", PUBSUB, "PublishToTopic", "a")


def test_a_policy_allows_its_operations_on_its_resources_to_its_component() -> None:
    found = _policies(app={PUBSUB: {"p": _policy()}}, other={})
    assert found.allows("app", PUBSUB, "PublishToTopic", "a/b")
    assert not found.allows("app", PUBSUB, "PublishToTopic", "b")
    assert not found.allows("app", PUBSUB, "SubscribeToTopic", "a/b")
    assert not found.allows("app", MQTT, "PublishToIoTCore", "a/b")
    assert not found.allows("other", PUBSUB, "PublishToTopic", "a/b")
    assert found.problems == ()


def test_a_star_means_every_operation_of_that_service() -> None:
    found = _policies(app={PUBSUB: {"p": _policy(["*"])}})
    assert found.allows("app", PUBSUB, "SubscribeToTopic", "a/b")
    assert not found.allows("app", MQTT, "SubscribeToIoTCore", "a/b")


def test_only_the_mqtt_proxy_reads_mqtt_wildcards() -> None:
    both = _policy(["*"], ["a/+", "b/#"])
    found = _policies(app={PUBSUB: {"p": both}, MQTT: {"q": both}})
    assert found.allows("app", MQTT, "PublishToIoTCore", "a/x")
    assert found.allows("app", MQTT, "SubscribeToIoTCore", "b/#")
    assert not found.allows("app", MQTT, "SubscribeToIoTCore", "a/#")
    assert not found.allows("app", PUBSUB, "PublishToTopic", "a/x")


def test_the_name_of_the_thing_is_filled_in() -> None:
    found = _policies(app={PUBSUB: {"p": _policy(resources=["{iot:thingName}/a"])}})
    assert found.allows("app", PUBSUB, "PublishToTopic", "cell-1/a")
    assert not found.allows("app", PUBSUB, "PublishToTopic", "{iot:thingName}/a")


@pytest.mark.parametrize(
    "bad",
    [
        _policy(operations=[]),
        _policy(resources=[]),
        {"operations": [PUBLISH]},
        {"resources": ["*"]},
        {"operations": PUBLISH, "resources": ["*"]},
        {"operations": [1], "resources": ["*"]},
        "publish",
        None,
    ],
)
def test_a_bad_policy_is_skipped_and_named(bad: Any) -> None:
    found = _policies(app={PUBSUB: {"good": _policy(), "the-bad-one": bad}})
    assert found.allows("app", PUBSUB, "PublishToTopic", "a/b")
    assert not found.allows("app", PUBSUB, "PublishToTopic", "b")
    (problem,) = found.problems
    assert problem.code == "bus.policy_invalid"
    assert problem.params["policy"] == "the-bad-one"
    assert problem.params["component"] == "app"


@pytest.mark.parametrize("control", ["no json", [1], 7, {"no.such.service": {"p": _policy()}}, {PUBSUB: ["p"]}])
def test_access_control_that_is_none_is_named(control: Any) -> None:
    found = _policies(app=control)
    assert not found.allows("app", PUBSUB, "PublishToTopic", "a/b")
    assert [one.code for one in found.problems] == ["bus.policy_invalid"]


def test_an_operation_that_does_not_exist_is_named_and_the_others_are_used() -> None:
    found = _policies(app={PUBSUB: {"p": _policy([PUBLISH, "aws.greengrass#PublishToIoTCore"])}})
    assert found.allows("app", PUBSUB, "PublishToTopic", "a/b")
    assert "aws.greengrass#PublishToIoTCore" in found.problems[0].message


def test_an_id_used_twice_is_named() -> None:
    found = _policies(app={PUBSUB: {"same": _policy()}}, other={PUBSUB: {"same": _policy()}})
    assert found.allows("other", PUBSUB, "PublishToTopic", "a/b")
    assert [(one.code, one.params["policy"]) for one in found.problems] == [("bus.policy_duplicate", "same")]


def test_access_control_may_be_json_text() -> None:
    text = msgspec.json.encode({PUBSUB: {"p": _policy()}}).decode()
    assert _policies(app=text).allows("app", PUBSUB, "PublishToTopic", "a/b")


def test_a_change_counts_once_it_is_announced() -> None:
    host = FakeHost({"app": {"accessControl": {PUBSUB: {"p": _policy()}}}})
    found = Policies(host, "cell-1")
    assert found.allows("app", PUBSUB, "PublishToTopic", "a/b")
    host.configurations["app"] = {}
    found.changed()
    assert not found.allows("app", PUBSUB, "PublishToTopic", "a/b")
