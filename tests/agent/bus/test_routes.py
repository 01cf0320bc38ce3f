"""Subscriptions in configuration: topics between components and the broker both ways, with no loops."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from lineside.agent.bus.client import BusError, Client, Stream
from lineside.agent.bus.ports import BrokerMessage
from lineside.agent.bus.routes import ROUTER
from tests.agent.bus.harness import House

_ids = itertools.count()


def _route(house: House, *routes: tuple[str, str, str]) -> None:
    """Source, subject, target."""
    before = house.host.configuration(ROUTER) or {}
    rows = [dict(zip(("source", "subject", "target"), one, strict=True)) for one in routes]
    after = {"subscriptions": {f"r{next(_ids)}": row | {"id": "x"} for row in rows}}
    house.host.configurations[ROUTER] = after
    house.bus.configuration_changed(ROUTER, before, after)
    house.client("app").call("GetConfiguration")  # the bus has read it once it answers


def _subscribe(client: Client, topic: str) -> Stream:
    return client.open("SubscribeToTopic", {"topic": topic})


def _publish(client: Client, topic: str, message: dict[str, Any]) -> None:
    client.call("PublishToTopic", {"topic": topic, "publishMessage": {"jsonMessage": {"message": message}}})


def _settled(house: House) -> None:
    """Everything that was published so far has been routed: the lane and the bus have done what was asked before."""
    house.client("app").call("PublishToIoTCore", {"topicName": "settled", "qos": "1", "payload": ""})
    house.client("app").call("GetConfiguration")


def _none_left(client: Client, stream: Stream) -> bool:
    client.call("GetConfiguration")
    return not client._streams[stream._id]


def test_request_topic_component_answer_topic(house: House) -> None:
    """As in Greengrass V1: no accessControl, only subscriptions."""
    _route(house, ("cloud", "ask/+", "component:poor"), ("component:poor", "answer/#", "cloud"))
    client = house.client("poor")
    asked = _subscribe(client, "ask/+")
    house.broker.publish(BrokerMessage(topic="ask/1", payload=b"how many?"))
    event = asked.next()["binaryMessage"]
    assert event == {"message": "aG93IG1hbnk/", "context": {"topic": "ask/1"}}
    _publish(client, "answer/1", {"count": 7})
    _settled(house)
    answer = house.broker.published[1]
    assert (answer.topic, answer.payload, answer.qos) == ("answer/1", b'{"count": 7}', 1)


def test_binary_messages_go_to_the_cloud_as_bytes(house: House) -> None:
    _route(house, ("component:app", "#", "cloud"))
    house.client().call("PublishToTopic", {"topic": "a", "publishMessage": {"binaryMessage": {"message": "AP8="}}})
    _settled(house)
    assert house.broker.published[0].payload == b"\0\xff"


def test_only_the_target_hears_the_cloud(house: House) -> None:
    _route(house, ("cloud", "t", "component:poor"))
    poor, other = house.client("poor"), house.client("other")
    target, bystander = _subscribe(poor, "t"), _subscribe(other, "#")
    house.broker.publish(BrokerMessage(topic="t", payload=b"x"))
    target.next()
    assert _none_left(other, bystander)


def test_only_the_source_is_sent_to_the_cloud(house: House) -> None:
    _route(house, ("component:app", "t/+", "cloud"))
    _publish(house.client("other"), "t/1", {})
    _publish(house.client("app"), "elsewhere", {})
    _publish(house.client("app"), "t/2", {})
    _settled(house)
    assert [one.topic for one in house.broker.published] == ["t/2", "settled"]


def test_a_route_between_components_allows_and_delivers_once(house: House) -> None:
    _route(house, ("component:poor", "t", "component:app"))
    client = house.client("app")
    stream = _subscribe(client, "t")
    _publish(house.client("poor"), "t", {"n": 1})
    assert stream.next()["jsonMessage"]["message"] == {"n": 1}
    _settled(house)
    assert _none_left(client, stream)
    assert [one.topic for one in house.broker.published] == ["settled"]


def test_what_a_component_sends_up_does_not_come_back_to_it(house: House) -> None:
    """A circle: it hears the topic it publishes to from the broker too."""
    _route(house, ("component:poor", "t", "cloud"), ("cloud", "t", "component:poor"), ("cloud", "#", "component:app"))
    poor, app = house.client("poor"), house.client("app")
    own, others = _subscribe(poor, "t"), _subscribe(app, "t")
    _publish(poor, "t", {"n": 1})
    assert own.next()["jsonMessage"]["message"] == {"n": 1}
    assert others.next()["jsonMessage"]["message"] == {"n": 1}
    _settled(house)
    assert _none_left(poor, own)
    assert _none_left(app, others)
    assert [one.topic for one in house.broker.published] == ["t", "settled"]
    house.broker.publish(BrokerMessage(topic="t", payload=b'{"n": 1}'))  # from somebody else, though it looks the same
    own.next()
    others.next()


def test_a_component_with_two_routes_that_overlap_hears_once(house: House) -> None:
    _route(house, ("cloud", "a/#", "component:poor"), ("cloud", "a/b", "component:poor"))
    client = house.client("poor")
    stream = _subscribe(client, "a/b")
    house.broker.publish(BrokerMessage(topic="a/b", payload=b"x"))
    stream.next()
    _settled(house)
    assert _none_left(client, stream)


def test_a_route_allows_no_more_than_its_subject(house: House) -> None:
    _route(house, ("cloud", "a/+", "component:poor"), ("component:poor", "b/+", "cloud"))
    client = house.client("poor")
    for topic in ("a/#", "a/b/c", "b/c", "#"):
        with pytest.raises(BusError, match="UnauthorizedError"):
            _subscribe(client, topic)
    for topic in ("a/b", "b", "b/c/d"):
        with pytest.raises(BusError, match="UnauthorizedError"):
            _publish(client, topic, {})
    _subscribe(client, "a/b")
    _publish(client, "b/c", {})


def test_routes_end_when_the_configuration_says_so(house: House) -> None:
    _route(house, ("cloud", "a", "component:poor"), ("cloud", "b", "component:poor"))
    assert house.broker.subscribed() == 2
    _route(house, ("cloud", "b", "component:poor"))
    assert house.broker.subscribed() == 1
    with pytest.raises(BusError, match="UnauthorizedError"):
        _subscribe(house.client("poor"), "a")
    _subscribe(house.client("poor"), "b")


@pytest.mark.parametrize(
    "row",
    [
        {"source": "cloud", "subject": "a", "target": "cloud"},
        {"source": "cloud", "subject": "a/#/b", "target": "component:app"},
        {"source": "cloud", "subject": "", "target": "component:app"},
        {"source": "lambda", "subject": "a", "target": "component:app"},
        {"source": "component:", "subject": "a", "target": "cloud"},
        {"source": "cloud", "target": "component:app"},
        {"source": "cloud", "subject": 7, "target": "component:app"},
        "text",
        None,
    ],
)
def test_a_bad_row_is_skipped_and_named(house: House, row: Any) -> None:
    good = {"source": "cloud", "subject": "good", "target": "component:poor"}
    house.host.configurations[ROUTER] = {"subscriptions": {"the-bad-one": row, "fine": good}}
    house.bus.updated("d")
    _subscribe(house.client("poor"), "good")
    (problem,) = house.bus.problems()
    assert (problem.code, problem.params["route"]) == ("bus.route_invalid", "the-bad-one")


def test_a_flood_of_the_same_message_is_remembered_within_bounds(house: House) -> None:
    house.broker.subscribe = lambda pattern, qos, deliver: lambda: None  # type: ignore[method-assign]  # no echo comes
    _route(house, ("component:app", "t/#", "cloud"), ("cloud", "t/#", "component:app"))
    client = house.client("app")
    for number in range(700):
        _publish(client, "t/same", {})
        _publish(client, f"t/{number}", {})
    expected = house.bus._routes._echoes._expected
    assert len(expected) <= 512
    assert max(len(one) for one in expected.values()) <= 64
