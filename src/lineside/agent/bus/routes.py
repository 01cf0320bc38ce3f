"""Subscriptions between components and the broker: the configuration of aws.greengrass.LegacySubscriptionRouter.

    {"subscriptions": {ID: {"id": …, "source": "component:NAME" | "cloud", "subject": MQTT filter, "target": …}}}

From the cloud to a component: what the broker publishes there reaches that component's own local subscriptions, as
bytes. From a component to the cloud: what it publishes locally goes to the broker too (QoS 1). Between components a
route only allows. A route allows its source to publish and its target to subscribe with no policy: it says who does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lineside.agent.bus import topics
from lineside.agent.bus.echoes import Echoes
from lineside.agent.bus.inbox import Inbox
from lineside.agent.bus.ports import Broker, BrokerMessage, Host
from lineside.agent.bus.pubsub import Message, PubSub
from lineside.contract.errors import LinesideError

ROUTER = "aws.greengrass.LegacySubscriptionRouter"
CLOUD = "cloud"
_COMPONENT = "component:"

_LOOK_SECONDS = 0.2

_log = logging.getLogger(__name__)


class Route(msgspec.Struct, frozen=True):
    """One subscription: `source` and `target` are component names, or None for the cloud."""

    source: str | None
    subject: str
    target: str | None


class Routes:
    """Owned by the bus's thread. `send` publishes to the broker without holding that thread up."""

    def __init__(
        self,
        host: Host,
        broker: Broker,
        pubsub: PubSub,
        post: Callable[[Callable[[], None]], None],
        send: Callable[[BrokerMessage], None],
    ) -> None:
        self._host = host
        self._broker = broker
        self._pubsub = pubsub
        self._send = send
        self._read_from: Any = None
        self._routes: tuple[Route, ...] = ()
        self._stops: dict[str, Callable[[], None]] = {}
        self._inbox: Inbox[tuple[str, BrokerMessage]] = Inbox(post, self._from_cloud)
        self._echoes = Echoes()
        self._look_at = 0.0
        self.problems: tuple[LinesideError, ...] = ()
        pubsub.granted = self.grants
        pubsub.published = self._published

    def refresh(self) -> bool:
        """Read the configuration again; subscribe at the broker to what is new, and end what is gone. Whether it is
        another."""
        configuration = self._host.configuration(ROUTER) or {}
        wanted = configuration.get("subscriptions")
        if wanted == self._read_from:
            return False
        self._read_from = wanted
        problems: list[LinesideError] = []
        self._routes = tuple(_routes(wanted, problems))
        subjects = {route.subject for route in self._routes if route.source is None}
        for subject in self._stops.keys() - subjects:
            self._stops.pop(subject)()
        for subject in sorted(subjects - self._stops.keys()):
            try:
                self._stops[subject] = self._broker.subscribe(subject, 1, self._hearing(subject))
            except LinesideError as error:
                problems.append(_bad(subject, error.message))
        self.problems = tuple(problems)
        for problem in problems:
            _log.warning("%s", problem)
        return True

    def grants(self, component: str, operation: str, topic: str) -> bool:
        """Whether a route lets a component publish to a topic, or subscribe to a filter."""
        if self._grants(component, operation, topic):
            return True
        if time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self.refresh()  # the routes may have been deployed together with the component that asks
        return self._grants(component, operation, topic)

    def _grants(self, component: str, operation: str, topic: str) -> bool:
        if operation == "PublishToTopic":
            return any(one.source == component and topics.matches(one.subject, topic) for one in self._routes)
        return any(one.target == component and topics.covers(one.subject, topic) for one in self._routes)

    def stop(self) -> None:
        """Hear nothing more."""
        for stop in self._stops.values():
            stop()
        self._stops.clear()

    def _published(self, component: str, message: Message, heard: set[str]) -> None:
        """A component published: to the cloud with it, once, if a route says so."""
        wanted = any(
            one.source == component and one.target is None and topics.matches(one.subject, message.topic)
            for one in self._routes
        )
        if not wanted:
            return
        payload = message.payload()
        if any(topics.matches(subject, message.topic) for subject in self._stops):
            # The broker sends it back to us. Who published it or heard it already must not get it again.
            self._echoes.expect(message.topic, payload, heard | {component})
        self._send(BrokerMessage(topic=message.topic, payload=payload, qos=1))

    def _hearing(self, subject: str) -> Callable[[BrokerMessage], None]:
        return lambda message: self._inbox.put(len(message.payload) + 200, (subject, message))

    def _from_cloud(self, item: tuple[str, BrokerMessage]) -> None:
        """The broker published: to the components that routes name, once each, and never back again."""
        subject, message = item
        through: dict[str, str] = {}  # by target, the first subject that leads there; others bring the same once more
        for one in self._routes:
            if one.source is None and one.target is not None and topics.matches(one.subject, message.topic):
                through.setdefault(one.target, one.subject)
        targets = {target for target, first in through.items() if first == subject}
        targets -= self._echoes.heard(subject, message.topic, message.payload)
        self._pubsub.deliver(Message(message.topic, None, message.payload), None, targets)


def _routes(wanted: Any, problems: list[LinesideError]) -> list[Route]:
    if wanted is None:
        return []
    if not isinstance(wanted, Mapping):
        problems.append(_bad("subscriptions", "it is not an object"))
        return []
    found = []
    for id, entry in wanted.items():
        route = _route(entry)
        if isinstance(route, Route):
            found.append(route)
        else:
            problems.append(_bad(str(id), route))
    return found


def _route(entry: Any) -> Route | str:
    """The route, or why it is none."""
    if not isinstance(entry, Mapping):
        return "it is not an object"
    ends: list[str | None] = []
    for key in ("source", "target"):
        text = entry.get(key)
        if text == CLOUD:
            ends.append(None)
        elif isinstance(text, str) and text.startswith(_COMPONENT) and len(text) > len(_COMPONENT):
            ends.append(text.removeprefix(_COMPONENT))
        else:
            return f"its {key} must be {CLOUD} or {_COMPONENT}NAME"
    subject = entry.get("subject")
    if not isinstance(subject, str) or not topics.is_filter(subject):
        return "its subject is no MQTT topic filter"
    if ends == [None, None]:
        return "it leads from the cloud to the cloud"
    return Route(ends[0], subject, ends[1])


def _bad(route: str, why: str) -> LinesideError:
    return LinesideError("bus.route_invalid", route=route, why=why)
