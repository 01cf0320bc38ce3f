"""Components' configuration: read it, change one's own, hear of changes. Keys are found whatever their case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lineside.agent.bus.authorization import ACCESS_CONTROL, Policies
from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import Failure, invalid, missing
from lineside.agent.bus.ports import Host
from lineside.agent.bus.protocol import Defer, Later, Post

EVENT = "ConfigurationUpdateEvents"
MAX_EVENTS = 64
"""Events for one change and subscription; a change of more keys is told as one of the whole subscribed key."""

_MISSING: Any = object()


class GetRequest(msgspec.Struct, rename="camel"):
    """GetConfiguration."""

    component_name: str | None = None
    key_path: list[str] | None = None


class UpdateRequest(msgspec.Struct, rename="camel"):
    """UpdateConfiguration."""

    timestamp: float
    value_to_merge: Any
    key_path: list[str] | None = None


class SubscribeRequest(msgspec.Struct, rename="camel"):
    """SubscribeToConfigurationUpdate."""

    component_name: str | None = None
    key_path: list[str] | None = None


class _Subscription(msgspec.Struct, frozen=True, eq=False):
    call: Call
    component: str
    path: tuple[str, ...]


class Configuration:
    """Owned by the bus's thread. `listening` may be read from any."""

    def __init__(self, host: Host, policies: Policies, post: Post, defer: Defer) -> None:
        self._host = host
        self._post = post
        self._policies = policies
        self._defer = defer
        self._subscriptions: dict[Call, _Subscription] = {}
        self.listening: frozenset[str] = frozenset()

    def get(self, call: Call, request: GetRequest) -> Mapping[str, Any]:
        """GetConfiguration: an object, or a leaf wrapped as `{its key: its value}`. Anybody may read anybody's."""
        component = request.component_name or call.component
        key, value = find(self._configuration(component), request.key_path or ())
        if value is _MISSING:
            raise missing("Key", "/".join(request.key_path or ()), "Key not found.")
        return {"componentName": component, "value": value if isinstance(value, dict) else {key: value}}

    def update(self, call: Call, request: UpdateRequest) -> Later:
        """UpdateConfiguration of the caller's own: durable before it is answered, refused when it is too old."""
        path, value = _checked(self._configuration(call.component), request)
        component = call.component

        def work() -> None:
            before = self._host.configuration(component) or {}
            self._host.update_configuration(component, path, value, request.timestamp)
            after = self._host.configuration(component) or {}
            self._post(lambda: self.changed(component, before, after))

        return self._defer(call, work)

    def subscribe(self, call: Call, request: SubscribeRequest) -> None:
        """SubscribeToConfigurationUpdate: each event names a key that changed at, below or above the one asked for."""
        component = request.component_name or call.component
        path = tuple(request.key_path or ())
        if find(self._configuration(component), path)[1] is _MISSING:
            raise missing("Key", "/".join(path), "Key not found.")
        self._subscriptions[call] = _Subscription(call, component, path)
        call.on_close = lambda: self._left(call)
        self._listen()

    def changed(self, component: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Tell who subscribed which keys are others now."""
        self._policies.changed()
        paths = list(changes(before, after))
        for subscription in list(self._subscriptions.values()):
            if subscription.component != component:
                continue
            wanted = [path for path in paths if _related(subscription.path, path)]
            if len(wanted) > MAX_EVENTS:
                wanted = [subscription.path]
            for path in wanted:
                event = {"configurationUpdateEvent": {"componentName": component, "keyPath": list(path)}}
                subscription.call.event(EVENT, msgspec.json.encode(event))

    def _left(self, call: Call) -> None:
        self._subscriptions.pop(call, None)
        self._listen()

    def _listen(self) -> None:
        own = (one.component for one in self._subscriptions.values() if one.component == one.call.component)
        self.listening = frozenset(own)

    def _configuration(self, component: str) -> dict[str, Any]:
        found = self._host.configuration(component)
        if found is None:
            raise missing("Component", component, f"There is no component {component} on this device.")
        return found


def find(configuration: Mapping[str, Any], path: Sequence[str]) -> tuple[str, Any]:
    """The key and value at a path, or `_MISSING`. An exact key goes before one in another case."""
    key = ""
    value: Any = configuration
    for part in path:
        if not isinstance(value, Mapping):
            return key, _MISSING
        key = actual_key(value, part)
        value = value.get(key, _MISSING)
    return key, value


def actual_key(mapping: Mapping[str, Any], wanted: str) -> str:
    """The key as it is there, in whatever case; `wanted` itself when it is not."""
    if wanted in mapping:
        return wanted
    folded = wanted.casefold()
    return next((key for key in mapping if key.casefold() == folded), wanted)


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Paths of leaves that are new or others, and of whatever is gone."""
    for key in sorted(before.keys() | after.keys()):
        path, old, new = (*above, key), before.get(key, _MISSING), after.get(key, _MISSING)
        if isinstance(new, dict) and new:
            yield from changes(old if isinstance(old, dict) else {}, new, path)
        elif old is _MISSING or new is _MISSING or old != new or type(old) is not type(new):
            yield path


def _related(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one path leads to, or through, the other."""
    return all(a.casefold() == b.casefold() for a, b in zip(one, other, strict=False))


def _checked(configuration: Mapping[str, Any], request: UpdateRequest) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Where to merge, in the keys that are there, and what: always an object. Raises what is wrong with it."""
    value, path = request.value_to_merge, tuple(request.key_path or ())
    if value is None:
        raise invalid("valueToMerge is missing.")
    named = path[:1] or (tuple(value) if isinstance(value, dict) else ())
    if any(name.casefold() == ACCESS_CONTROL.casefold() for name in named):
        raise invalid(f"A component cannot change {ACCESS_CONTROL}.")
    there: list[str] = []
    node: Any = configuration
    for part in path:
        if node is not _MISSING and not isinstance(node, Mapping):
            raise Failure("ConflictError", f"{'/'.join(there)} is a value, not an object with keys.")
        there.append(part if node is _MISSING else actual_key(node, part))
        node = _MISSING if node is _MISSING else node.get(there[-1], _MISSING)
    if node is not _MISSING and not isinstance(node, Mapping):  # a leaf, which may be named itself
        if isinstance(value, dict):
            raise invalid(f"{'/'.join(there)} is a value; name the object that holds it as keyPath.")
        return tuple(there[:-1]), {there[-1]: value}
    if not isinstance(value, dict):
        raise invalid("valueToMerge must be an object.")
    return tuple(there), _in_actual_keys(node if isinstance(node, Mapping) else {}, value)


def _in_actual_keys(node: Mapping[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """`value` with the keys that are there already, so that a merge makes no second one in another case."""
    found = {}
    for key, item in value.items():
        actual = actual_key(node, key)
        below = node.get(actual)
        found[actual] = (
            _in_actual_keys(below if isinstance(below, Mapping) else {}, item) if isinstance(item, dict) else item
        )
    return found
