"""Publish and subscribe between components of this device."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Literal

import msgspec

from lineside.agent.bus import topics
from lineside.agent.bus.authorization import PUBSUB, Policies
from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import Failure, invalid

EVENT = "SubscriptionResponseMessage"


class _JsonMessage(msgspec.Struct):
    message: msgspec.Raw


class _BinaryMessage(msgspec.Struct):
    message: bytes


class _PublishMessage(msgspec.Struct, rename="camel"):
    json_message: _JsonMessage | None = None
    binary_message: _BinaryMessage | None = None


class PublishRequest(msgspec.Struct, rename="camel"):
    """PublishToTopic."""

    topic: str
    publish_message: _PublishMessage


class SubscribeRequest(msgspec.Struct, rename="camel"):
    """SubscribeToTopic."""

    topic: str
    receive_mode: Literal["RECEIVE_ALL_MESSAGES", "RECEIVE_MESSAGES_FROM_OTHERS"] | None = None


class Message(msgspec.Struct, frozen=True):
    """What was published: a JSON object as its publisher wrote it, or bytes."""

    topic: str
    json: msgspec.Raw | None = None
    data: bytes = b""

    def payload(self) -> bytes:
        """As bytes, for a broker."""
        return self.data if self.json is None else bytes(self.json)

    def event(self) -> bytes:
        """As it goes to a subscriber."""
        inner = {"message": self.data if self.json is None else self.json, "context": {"topic": self.topic}}
        return msgspec.json.encode({"binaryMessage" if self.json is None else "jsonMessage": inner})


class _Subscription:
    __slots__ = ("call", "from_others", "pattern")

    def __init__(self, call: Call, pattern: str, from_others: bool) -> None:
        self.call = call
        self.pattern = pattern
        self.from_others = from_others


class PubSub:
    """Local topics. `granted` allows what no policy does; `published` hears of everything and who got it."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._subscriptions: topics.Filters[_Subscription] = topics.Filters()
        self.granted: Callable[[str, str, str], bool] = lambda component, operation, topic: False
        self.published: Callable[[str, Message, set[str]], None] = lambda component, message, heard: None

    def publish(self, call: Call, request: PublishRequest) -> None:
        """PublishToTopic: every subscription that matches gets it once."""
        if not topics.is_topic(request.topic):
            raise invalid(f"{request.topic!r} is not a topic to publish to: it must not be empty or hold + # *.")
        self._authorize(call, request.topic)
        message = _message(request)
        heard = self.deliver(message, call.component)
        self.published(call.component, message, heard)

    def subscribe(self, call: Call, request: SubscribeRequest) -> Mapping[str, Any]:
        """SubscribeToTopic: `+` and `#` as in MQTT; without a mode, a wildcard does not bring back one's own."""
        pattern = request.topic
        if not topics.is_filter(pattern):
            raise invalid(f"{pattern!r} is not a topic filter.")
        self._authorize(call, pattern)
        from_others = request.receive_mode == "RECEIVE_MESSAGES_FROM_OTHERS" or (
            request.receive_mode is None and topics.has_wildcard(pattern)
        )
        subscription = _Subscription(call, pattern, from_others)
        self._subscriptions.add(pattern, subscription)
        call.on_close = lambda: self._subscriptions.remove(pattern, subscription)
        return {"topicName": pattern}

    def deliver(self, message: Message, source: str | None, only: Container[str] | None = None) -> set[str]:
        """Hand a message to who subscribed (and is among `only`); their names."""
        heard: set[str] = set()
        event: bytes | None = None
        for one in self._subscriptions.matching(message.topic):
            component = one.call.component
            if (one.from_others and component == source) or (only is not None and component not in only):
                continue
            event = event or message.event()
            one.call.event(EVENT, event)
            heard.add(component)
        return heard

    def recheck(self) -> None:
        """End the subscriptions that are not allowed any more."""
        for one in list(self._subscriptions):
            if not self._allowed(one.call, one.pattern):
                one.call.end()

    def _authorize(self, call: Call, topic: str) -> None:
        if not self._allowed(call, topic):
            raise unauthorized(call, PUBSUB, topic)

    def _allowed(self, call: Call, topic: str) -> bool:
        return self._policies.allows(call.component, PUBSUB, call.operation, topic) or self.granted(
            call.component, call.operation, topic
        )


def unauthorized(call: Call, service: str, resource: str) -> Failure:
    """No policy allows it."""
    return Failure(
        "UnauthorizedError",
        f"{call.component} is not authorized to perform {service}:aws.greengrass#{call.operation} on {resource}: "
        f"no policy in its accessControl allows it.",
    )


def _message(request: PublishRequest) -> Message:
    found = request.publish_message
    if (found.json_message is None) == (found.binary_message is None):
        raise invalid("publishMessage must hold either a jsonMessage or a binaryMessage.")
    if found.binary_message is not None:
        return Message(request.topic, None, found.binary_message.message)
    assert found.json_message is not None
    raw = found.json_message.message
    if not bytes(raw).lstrip().startswith(b"{"):
        raise invalid("The message of a jsonMessage must be an object.")
    return Message(request.topic, raw)
