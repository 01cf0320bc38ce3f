"""PublishToIoTCore and SubscribeToIoTCore: "IoT Core" is the control plane's broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from lineside.agent.bus import topics
from lineside.agent.bus.authorization import MQTT_PROXY, Policies
from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import invalid
from lineside.agent.bus.inbox import Inbox
from lineside.agent.bus.ports import Broker, BrokerMessage
from lineside.agent.bus.protocol import Defer, Later, Post
from lineside.agent.bus.pubsub import unauthorized

EVENT = "IoTCoreMessage"
STATUS_EVENT = "IoTCoreConnectionStatusEvent"

Qos = Literal["0", "1"]


class PublishRequest(msgspec.Struct, rename="camel"):
    """PublishToIoTCore. The keys of MQTT 5 are taken and not sent: the broker's link speaks MQTT 3.1.1."""

    topic_name: str
    qos: Qos
    payload: bytes
    retain: bool | None = None


class SubscribeRequest(msgspec.Struct, rename="camel"):
    """SubscribeToIoTCore."""

    topic_name: str
    qos: Qos


class StatusRequest(msgspec.Struct):
    """SubscribeToIoTCoreConnectionStatus."""


class _Shared:
    """One subscription at the broker and the calls that hear it."""

    __slots__ = ("calls", "stop")

    def __init__(self) -> None:
        self.calls: dict[Call, None] = {}
        self.stop: Callable[[], None] = lambda: None


class IotCore:
    """Owned by the bus's thread; the broker's thread enters through the inbox."""

    def __init__(self, policies: Policies, broker: Broker, post: Post, defer: Defer) -> None:
        self._policies = policies
        self._broker = broker
        self._post = post
        self._defer = defer
        self._shared: dict[tuple[str, int], _Shared] = {}
        self._watching: dict[Call, None] = {}
        self._stop_watching: Callable[[], None] | None = None
        self.inbox: Inbox[tuple[_Shared, BrokerMessage]] = Inbox(post, self._deliver)

    def publish(self, call: Call, request: PublishRequest) -> Later | None:
        """PublishToIoTCore: QoS 1 is answered once the message is kept on disk, QoS 0 at once."""
        if not topics.is_topic(request.topic_name):
            raise invalid(f"{request.topic_name!r} is not a topic to publish to.")
        self._authorize(call, request.topic_name)
        message = BrokerMessage(
            topic=request.topic_name, payload=request.payload, qos=int(request.qos), retain=bool(request.retain)
        )
        if message.qos == 0:
            self._broker.publish(message)
            return None
        return self._defer(call, lambda: self._broker.publish(message))

    def subscribe(self, call: Call, request: SubscribeRequest) -> None:
        """SubscribeToIoTCore: answered at once; the broker is told when there is a connection, and again after each."""
        pattern, key = request.topic_name, (request.topic_name, int(request.qos))
        if not topics.is_filter(pattern):
            raise invalid(f"{pattern!r} is not a topic filter.")
        self._authorize(call, pattern)
        shared = self._shared.get(key)
        if shared is None:
            shared = _Shared()
            shared.stop = self._broker.subscribe(*key, self._hearing(shared))
            self._shared[key] = shared
        shared.calls[call] = None
        call.on_close = lambda: self._left(key, call)

    def subscribe_to_status(self, call: Call, request: StatusRequest) -> None:
        """SubscribeToIoTCoreConnectionStatus: what holds now, then every change."""
        if self._stop_watching is None:
            self._stop_watching = self._broker.watch(lambda up: self._post(lambda: self._changed(up)))
        self._watching[call] = None
        call.on_close = lambda: self._watching.pop(call, None)
        call.event(STATUS_EVENT, _status(self._broker.connected()))

    def recheck(self) -> None:
        """End the subscriptions that are not allowed any more."""
        for (pattern, _), shared in list(self._shared.items()):
            for call in list(shared.calls):
                if not self._policies.allows(call.component, MQTT_PROXY, call.operation, pattern):
                    call.end()

    def stop(self) -> None:
        """Hear nothing more."""
        for shared in self._shared.values():
            shared.stop()
        self._shared.clear()
        if self._stop_watching is not None:
            self._stop_watching()
            self._stop_watching = None

    def _hearing(self, shared: _Shared) -> Callable[[BrokerMessage], None]:
        return lambda message: self.inbox.put(len(message.payload) + 200, (shared, message))

    def _deliver(self, item: tuple[_Shared, BrokerMessage]) -> None:
        shared, message = item
        if not shared.calls:
            return
        inner = {"topicName": message.topic, "payload": message.payload, "retain": message.retain}
        event = msgspec.json.encode({"message": inner})
        for call in list(shared.calls):
            call.event(EVENT, event)

    def _left(self, key: tuple[str, int], call: Call) -> None:
        shared = self._shared.get(key)
        if shared is not None:
            shared.calls.pop(call, None)
            if not shared.calls:
                del self._shared[key]
                shared.stop()

    def _changed(self, up: bool) -> None:
        event = _status(up)
        for call in list(self._watching):
            call.event(STATUS_EVENT, event)

    def _authorize(self, call: Call, topic: str) -> None:
        if not self._policies.allows(call.component, MQTT_PROXY, call.operation, topic):
            raise unauthorized(call, MQTT_PROXY, topic)


def _status(up: bool) -> bytes:
    body: Mapping[str, Any] = {"connectionStatusEvent": {"status": "CONNECTED" if up else "DISCONNECTED"}}
    return msgspec.json.encode(body)
