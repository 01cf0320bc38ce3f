"""AWS's own SDK, both clients: local topics and "IoT Core"."""

from __future__ import annotations

from typing import Any

import pytest
from awsiot.greengrasscoreipc import model as m

from lineside.agent.bus.ports import BrokerMessage
from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Sdk
from tests.eventually import PATIENCE, eventually

pytestmark = pytest.mark.parametrize("version", [1, 2])

ODD = {
    "int": 2**53,
    "big": 2**70,
    "float": -1.5e-300,
    "none": None,
    "true": True,
    "text": 'ä€😀\u2028\x00"\\',
    "": {"deep": [[], {}, [None]]},
}


def _json(topic: str, message: dict[str, Any]) -> m.PublishToTopicRequest:
    return m.PublishToTopicRequest(
        topic=topic, publish_message=m.PublishMessage(json_message=m.JsonMessage(message=message))
    )


def _binary(topic: str, message: bytes) -> m.PublishToTopicRequest:
    inner = m.PublishMessage(binary_message=m.BinaryMessage(message=message))
    return m.PublishToTopicRequest(topic=topic, publish_message=inner)


def test_awsiotsdk_json_messages_arrive_as_they_were_sent(house: House, version: int) -> None:
    answer, events = Sdk(house, version).open(m.SubscribeToTopicRequest(topic="a/b"))
    assert answer.topic_name == "a/b"
    assert isinstance(Sdk(house, version, "other").call(_json("a/b", ODD)), m.PublishToTopicResponse)
    event = events.next()
    assert event.json_message.message == ODD
    assert event.json_message.context.topic == "a/b"
    assert event.binary_message is None


@pytest.mark.parametrize("data", [b"", bytes(range(256)), b"x" * 3_000_000], ids=["empty", "all", "large"])
def test_awsiotsdk_binary_messages_arrive_as_they_were_sent(house: House, version: int, data: bytes) -> None:
    sdk = Sdk(house, version)
    _, events = sdk.open(m.SubscribeToTopicRequest(topic="a"))
    sdk.call(_binary("a", data))
    event = events.next()
    assert event.binary_message.message == data
    assert event.binary_message.context.topic == "a"


@pytest.mark.parametrize("mode", [None, "RECEIVE_ALL_MESSAGES", "RECEIVE_MESSAGES_FROM_OTHERS"])
@pytest.mark.parametrize("topic", ["a/b", "a/+", "a/#"])
def test_awsiotsdk_own_messages_come_back_as_the_mode_says(
    house: House, version: int, mode: str | None, topic: str
) -> None:
    sdk, other = Sdk(house, version), Sdk(house, version, "other")
    _, events = sdk.open(m.SubscribeToTopicRequest(topic=topic, receive_mode=mode))
    sdk.call(_json("a/b", {"from": "app"}))
    other.call(_json("a/b", {"from": "other"}))
    own = mode == "RECEIVE_ALL_MESSAGES" or (mode is None and topic == "a/b")
    expected = ["app", "other"] if own else ["other"]
    assert [events.next().json_message.message["from"] for _ in expected] == expected
    sdk.call(m.GetConfigurationRequest())
    assert events.none()


def test_awsiotsdk_two_subscriptions_that_overlap_get_one_event_each(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    _, first = sdk.open(m.SubscribeToTopicRequest(topic="a/b"))
    _, second = sdk.open(m.SubscribeToTopicRequest(topic="a/+", receive_mode="RECEIVE_ALL_MESSAGES"))
    sdk.call(_json("a/b", {"n": 1}))
    assert first.next().json_message.message == second.next().json_message.message == {"n": 1}
    sdk.call(m.GetConfigurationRequest())
    assert first.none()
    assert second.none()


def test_awsiotsdk_a_closed_subscription_hears_nothing_more(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    _, events = sdk.open(m.SubscribeToTopicRequest(topic="a"))
    _, witness = sdk.open(m.SubscribeToTopicRequest(topic="a"))
    events.close()
    events.closed.get(timeout=PATIENCE)
    sdk.call(_json("a", {}))
    witness.next()
    assert events.none()


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a*"])
def test_awsiotsdk_a_topic_with_wildcards_cannot_be_published_to(house: House, version: int, topic: str) -> None:
    with pytest.raises(m.InvalidArgumentsError):
        Sdk(house, version).call(_json(topic, {}))


def test_awsiotsdk_bad_filters_and_empty_messages_are_invalid(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    for request in (
        m.SubscribeToTopicRequest(topic="a/#/b"),
        m.SubscribeToTopicRequest(topic=""),
        m.SubscribeToTopicRequest(topic="a", receive_mode="SOME"),
    ):
        with pytest.raises(m.InvalidArgumentsError):
            sdk.open(request)
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.PublishToTopicRequest(topic="a", publish_message=m.PublishMessage()))
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.PublishToTopicRequest())


def test_awsiotsdk_without_a_policy_nothing_goes(house: House, version: int) -> None:
    sdk = Sdk(house, version, "poor")
    with pytest.raises(m.UnauthorizedError) as caught:
        sdk.call(_json("a", {}))
    assert "poor" in caught.value.message
    assert "aws.greengrass#PublishToTopic" in caught.value.message
    with pytest.raises(m.UnauthorizedError):
        sdk.open(m.SubscribeToTopicRequest(topic="a"))
    with pytest.raises(m.UnauthorizedError):
        sdk.call(m.PublishToIoTCoreRequest(topic_name="a", qos="1", payload=b""))
    with pytest.raises(m.UnauthorizedError):
        sdk.open(m.SubscribeToIoTCoreRequest(topic_name="a", qos="1"))
    assert house.broker.published == []


@pytest.mark.parametrize("qos", ["0", "1"])
def test_awsiotsdk_publishes_to_iot_core(house: House, version: int, qos: str) -> None:
    request = m.PublishToIoTCoreRequest(
        topic_name="plant/a",
        qos=qos,
        payload=b"\0\xff",
        retain=True,
        user_properties=[m.UserProperty(key="k", value="v")],
        message_expiry_interval_seconds=5,
        correlation_data=b"c",
        response_topic="r",
        payload_format="1",
        content_type="text/plain",
    )
    assert isinstance(Sdk(house, version).call(request), m.PublishToIoTCoreResponse)
    expected = BrokerMessage(topic="plant/a", payload=b"\0\xff", qos=int(qos), retain=True)
    assert house.broker.published == [expected]


def test_awsiotsdk_publishing_is_in_order(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    for number in range(50):
        sdk.call(m.PublishToIoTCoreRequest(topic_name="a", qos="1", payload=b"%d" % number))
    assert [one.payload for one in house.broker.published] == [b"%d" % number for number in range(50)]


def test_awsiotsdk_hears_from_iot_core(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    answer, events = sdk.open(m.SubscribeToIoTCoreRequest(topic_name="plant/+", qos="1"))
    assert isinstance(answer, m.SubscribeToIoTCoreResponse)
    _, same = sdk.open(m.SubscribeToIoTCoreRequest(topic_name="plant/+", qos="1"))
    assert house.broker.subscribed() == 1
    house.broker.publish(BrokerMessage(topic="plant/a", payload=b"\0\xff", retain=True))
    for one in (events, same):
        message = one.next().message
        assert (message.topic_name, message.payload, message.retain) == ("plant/a", b"\0\xff", True)
    events.close()
    house.broker.publish(BrokerMessage(topic="plant/b", payload=b""))
    assert same.next().message.topic_name == "plant/b"
    assert events.none()
    same.close()
    eventually(lambda: house.broker.subscribed() == 0)


def test_awsiotsdk_topics_of_lineside_itself_are_not_for_components(house: House, version: int) -> None:
    for qos in ("0", "1"):
        with pytest.raises(m.UnauthorizedError):
            Sdk(house, version).call(m.PublishToIoTCoreRequest(topic_name="lineside/x", qos=qos, payload=b""))


def test_awsiotsdk_a_qos_that_is_none_is_invalid(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.PublishToIoTCoreRequest(topic_name="a", qos="2", payload=b""))
    with pytest.raises(m.InvalidArgumentsError):
        sdk.open(m.SubscribeToIoTCoreRequest(topic_name="a"))
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.PublishToIoTCoreRequest(topic_name="a", qos="1"))


def test_awsiotsdk_is_told_of_the_connection(house: House, version: int) -> None:
    _, events = Sdk(house, version).open(m.SubscribeToIoTCoreConnectionStatusRequest())
    assert events.next().connection_status_event.status == "CONNECTED"
    house.broker.connect(False)
    assert events.next().connection_status_event.status == "DISCONNECTED"
    house.broker.connect(True)
    assert events.next().connection_status_event.status == "CONNECTED"
