"""Secrets of components: what people see of them, what a device is given, and which recipe names which.

A recipe names a secret by an `accessControl` policy for `aws.greengrass.SecretManager`: its name, an ARN that ends in
`:secret:NAME` (with or without AWS's six random letters), or a pattern with `*`. `*` alone names nothing: who says
"any" has not said which. `{iot:thingName}` stands for the device's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.contract.sealing import Sealed

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
"""The labels of the newest version and of the one before; older ones are forgotten."""
MAX_VALUE = 65_536
"""Bytes in a value, as AWS Secrets Manager has it."""

_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,255}")
_SERVICE = "aws.greengrass.SecretManager"
_OPERATIONS = {"*", "aws.greengrass#GetSecretValue"}
_ESCAPE = re.compile(r"\$\{([*?$])\}")
_SUFFIX = 7  # "-" and six letters
_ANY = "\0"


class SecretVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a secret, without its value."""

    id: str
    stages: tuple[str, ...]
    set_at: str
    set_by: str


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret, without its value. Newest version first."""

    name: str
    versions: tuple[SecretVersion, ...]


class SecretDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that may have a secret, or has had it."""

    device: str
    named: bool  # what it should run names the secret now
    version: str | None = None  # that it was given last
    at: str | None = None


class SecretDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A secret with who may have it."""

    secret: Secret
    components: tuple[str, ...]  # `name version` of every component whose recipe names it
    devices: tuple[SecretDevice, ...]


class SetSecret(msgspec.Struct, frozen=True, kw_only=True):
    """Give a secret a new value (base64 as JSON)."""

    name: str
    value: bytes

    def __repr__(self) -> str:
        """Without the value: it may end up in a log."""
        return f"SetSecret({self.name!r})"


class SecretName(msgspec.Struct, frozen=True, kw_only=True):
    """Which secret; names may have slashes, so they are not part of an address."""

    name: str


class KeyRotation(msgspec.Struct, frozen=True, kw_only=True):
    """What changing the key that secrets are kept with did."""

    key: str  # the new key's id
    versions: int  # sealed anew


class GivenVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as a device is given it: `box` holds the value and opens with the device's key alone."""

    id: str
    stages: tuple[str, ...]
    box: Sealed


class GivenSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as a device is given it."""

    name: str
    versions: tuple[GivenVersion, ...]


class GivenSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """Every secret that a device's desired document names. What is not in it any more is to be forgotten."""

    secrets: tuple[GivenSecret, ...] = ()


def is_secret_name(text: str) -> bool:
    """Whether a secret may be called so: AWS's letters, digits and `/_+=.@-`, at most 255."""
    return _NAME.fullmatch(text) is not None


def about(name: str, version: str) -> str:
    """What a sealed version says it is; a box that is moved under another name or version does not open."""
    return f"secret {name} {version}"


def patterns(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The resources that a component's default configuration says about GetSecretValue."""
    return tuple(_resources(configuration))


def names_secret(pattern: str, device: str, secret: str) -> bool:
    """Whether a policy's resource names this secret on this device."""
    pattern = pattern.replace("{iot:thingName}", device)
    return any(_matches(one, secret) for one in _forms(pattern))


def _forms(pattern: str) -> Iterator[str]:
    yield pattern
    _, found, name = pattern.partition(":secret:")
    if found:
        yield name
        if name[-_SUFFIX : 1 - _SUFFIX] == "-":
            yield name[:-_SUFFIX]


def _matches(pattern: str, text: str) -> bool:
    """`*` for any characters; greedy from the left, which finds a match whenever there is one, in linear time."""
    literal = _ESCAPE.sub(lambda found: found[1] if found[1] != "*" else "\1", pattern)
    first, *others = literal.replace("*", _ANY).replace("\1", "*").split(_ANY)
    if not others:
        return first == text
    if not (first or any(others)) or not text.startswith(first):
        return False
    *middle, last = others
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)


def _resources(configuration: Mapping[str, Any]) -> Iterator[str]:
    control = configuration.get("accessControl")
    if isinstance(control, str):  # people write it as JSON text too, and devices take it
        try:
            control = msgspec.json.decode(control)
        except UNREADABLE:
            return
    policies = control.get(_SERVICE) if isinstance(control, Mapping) else None
    for policy in filter(_is_mapping, policies.values() if isinstance(policies, Mapping) else ()):
        operations, resources = policy.get("operations"), policy.get("resources")
        if _OPERATIONS.intersection(_texts(operations)):
            yield from _texts(resources)


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)
