"""Who may do what: the `accessControl` of every component, default deny.

    accessControl: {SERVICE: {POLICY ID: {policyDescription, operations: [aws.greengrass#Op | *], resources: [...]}}}

A policy that cannot be read is skipped and reported by name; `{iot:thingName}` is always filled in.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lineside.agent.bus.ports import ComponentDetails, Host
from lineside.agent.bus.resources import Resource
from lineside.contract.errors import LinesideError

ACCESS_CONTROL = "accessControl"
PUBSUB = "aws.greengrass.ipc.pubsub"
MQTT_PROXY = "aws.greengrass.ipc.mqttproxy"
LIFECYCLE = "aws.greengrass.ipc.lifecycle"
COMPONENT_METRIC = "aws.greengrass.ipc.componentmetric"
SECRETS = "aws.greengrass.SecretManager"
SHADOWS = "aws.greengrass.ShadowManager"
CLI = "aws.greengrass.Cli"
CLIENT_DEVICES = "aws.greengrass.clientdevices.Auth"
PREFIX = "aws.greengrass#"

OPERATIONS: dict[str, frozenset[str]] = {
    PUBSUB: frozenset({"PublishToTopic", "SubscribeToTopic"}),
    MQTT_PROXY: frozenset({"PublishToIoTCore", "SubscribeToIoTCore"}),
    LIFECYCLE: frozenset({"PauseComponent", "ResumeComponent"}),
    COMPONENT_METRIC: frozenset({"PutComponentMetric"}),
    SECRETS: frozenset({"GetSecretValue"}),
    CLI: frozenset(
        {
            "ListComponents",
            "GetComponentDetails",
            "RestartComponent",
            "StopComponent",
            "CreateLocalDeployment",
            "CancelLocalDeployment",
            "GetLocalDeploymentStatus",
            "ListLocalDeployments",
            "CreateDebugPassword",
        }
    ),
    SHADOWS: frozenset({"GetThingShadow", "UpdateThingShadow", "DeleteThingShadow", "ListNamedShadowsForThing"}),
    CLIENT_DEVICES: frozenset(
        {
            "SubscribeToCertificateUpdates",
            "VerifyClientDeviceIdentity",
            "GetClientDeviceAuthToken",
            "AuthorizeClientDeviceAction",
        }
    ),
}
"""Services that a policy may be about, and the operations each of them knows."""

_REMEMBERED = 2048

_log = logging.getLogger(__name__)


class _Policy(msgspec.Struct, frozen=True):
    operations: list[str]
    resources: list[str]
    policyDescription: str | None = None


class Policies:
    """Every component's policies, read again when something may have changed. Belongs to the bus's thread."""

    def __init__(self, host: Host, device: str) -> None:
        self._host = host
        self._device = device
        self._stale = True
        self._version = 0
        self._read_from: dict[str, Any] = {}
        self._allowed: dict[tuple[str, str, str], list[Resource]] = {}  # component, service, operation
        self._answers: dict[tuple[str, str, str, str], bool] = {}
        self.problems: tuple[LinesideError, ...] = ()

    def changed(self) -> None:
        """Some component's configuration may be another now."""
        self._stale = True

    def refresh(self) -> int:
        """Read them now, so that what is wrong is known before somebody is refused; how often they were others."""
        self._read()
        return self._version

    def allows(self, component: str, service: str, operation: str, resource: str) -> bool:
        """Whether a policy of the component names this."""
        if self._stale:
            self._read()
        asked = (component, service, operation, resource)
        if asked not in self._answers:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            granted = self._allowed.get((component, service, operation), ())
            self._answers[asked] = any(one.matches(resource) for one in granted)
        return self._answers[asked]

    def _read(self) -> None:
        self._stale = False
        components = self._host.components()
        source = {one.name: one.configuration.get(ACCESS_CONTROL) for one in components}
        if source == self._read_from:
            return
        self._read_from = source
        self._version += 1
        self._answers.clear()
        self._allowed.clear()
        problems: list[LinesideError] = []
        owners: dict[str, str] = {}
        for component in components:
            self._add(component, owners, problems)
        self.problems = tuple(problems)
        for problem in problems:
            _log.warning("%s", problem)

    def _add(self, component: ComponentDetails, owners: dict[str, str], problems: list[LinesideError]) -> None:
        for service, id, found in _policies(component):
            if isinstance(found, str):
                problems.append(LinesideError("bus.policy_invalid", policy=id, component=component.name, why=found))
                continue
            if id in owners:
                problems.append(
                    LinesideError("bus.policy_duplicate", policy=id, component=component.name, other=owners[id])
                )
            owners[id] = component.name
            unknown = sorted(set(found.operations) - _known(service) - {"*"})
            if unknown:
                why = f"{service} has no operation {', '.join(unknown)}"
                problems.append(LinesideError("bus.policy_invalid", policy=id, component=component.name, why=why))
            resources = [self._resource(text, service) for text in found.resources]
            for operation in _known(service) if "*" in found.operations else _known(service) & set(found.operations):
                key = (component.name, service, operation.removeprefix(PREFIX))
                self._allowed.setdefault(key, []).extend(resources)

    def _resource(self, text: str, service: str) -> Resource:
        return Resource(text.replace("{iot:thingName}", self._device), mqtt=service == MQTT_PROXY)


def _known(service: str) -> frozenset[str]:
    return frozenset(PREFIX + name for name in OPERATIONS[service])


def _policies(component: ComponentDetails) -> Iterator[tuple[str, str, _Policy | str]]:
    """Service, policy id, and the policy or why it cannot be used."""
    control = component.configuration.get(ACCESS_CONTROL)
    if isinstance(control, str):  # people write it as JSON text too, and the nucleus takes it
        with contextlib.suppress(msgspec.DecodeError):
            control = msgspec.json.decode(control)
    if control is None:
        return
    if not isinstance(control, Mapping):
        yield "", ACCESS_CONTROL, "it is not an object"
        return
    for service, policies in control.items():
        if service not in OPERATIONS or not isinstance(policies, Mapping):
            why = "it is not an object of policies" if service in OPERATIONS else "there is no such service"
            yield service, service, why
            continue
        for id, policy in policies.items():
            yield service, id, _policy(id, policy)


def _policy(id: str, policy: Any) -> _Policy | str:
    if not id:
        return "its id is empty"
    try:
        found = msgspec.convert(policy, _Policy)
    except msgspec.ValidationError as error:
        return str(error)
    empty = [name for name, values in _lists(found) if not values]
    return f"it names no {empty[0]}" if empty else found


def _lists(policy: _Policy) -> Sequence[tuple[str, list[str]]]:
    return (("operations", policy.operations), ("resources", policy.resources))
