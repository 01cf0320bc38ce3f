"""Devices: one edge computer with one key; how it joins and how it is shown."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.contract.desired import DesiredComponent
from lineside.contract.reported import Report


class DeviceState(enum.Enum):
    """Whether a device may take part."""

    ACCEPTED = "accepted"  # joined with a valid token
    REVOKED = "revoked"  # may do nothing


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A device asks to join: a token, its name, a PEM certificate signing request made with its own key, its facts."""

    token: str
    name: str
    csr: str
    twin: bool = False
    facts: dict[str, Any] = {}


class JoinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a device keeps: its certificate and the CA (PEM), the TUF root it will believe (JSON), and where MQTT is."""

    device: str
    certificate: str
    ca: str
    tuf_root: str
    mqtt_host: str | None = None
    mqtt_port: int | None = None


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A client assertion (RFC 7523): a JWT signed with the device's key; `iss` = `sub` = device, `aud` = "lineside",
    short `exp`, `jti`."""

    client_assertion: str


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A short-lived bearer token for the device API; `expires_in` in seconds."""

    access_token: str
    expires_in: int


class JoinTokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Make a join token: how often and how long it may be used, and the group its devices land in."""

    group: str = "default"
    uses: int = 1
    ttl_seconds: int = 3600
    twin: bool = False  # only twins may join with it, and only with it


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new join token. `token` is shown once; only its hash is stored."""

    token: str
    group: str
    uses: int
    expires_at: str
    twin: bool
    url: str  # the device API's address
    ca_sha256: str  # fingerprint of the control plane's CA, for `agent join --ca-sha256`


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it is shown; `healthy` is recomputed by the server from the last report and the desired document."""

    name: str
    state: DeviceState
    twin: bool
    groups: tuple[str, ...]
    joined_at: str
    last_seen: str | None
    desired_revision: int
    healthy: bool
    summary: str  # one word for people: healthy, installing, rolled back, offline, …
    report: Report | None = None
    wanted: tuple[DesiredComponent, ...] = ()  # what it should run; only where one device is shown
