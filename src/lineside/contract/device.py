"""Devices: one edge computer with one key; how it joins and how it is shown."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import ErrorReport
from lineside.contract.group import Label
from lineside.contract.reported import Report


class DeviceState(enum.Enum):
    """Whether a device may take part."""

    PENDING = "pending"  # asked without a token; waits for a person, and may only ask whether one has decided
    ACCEPTED = "accepted"  # takes part
    QUARANTINED = "quarantined"  # may report and ask, and install nothing
    REVOKED = "revoked"  # may do nothing, ever again


DEVICE_MOVES: Mapping[DeviceState, frozenset[DeviceState]] = {
    DeviceState.PENDING: frozenset({DeviceState.ACCEPTED, DeviceState.REVOKED}),
    DeviceState.ACCEPTED: frozenset({DeviceState.QUARANTINED, DeviceState.REVOKED}),
    DeviceState.QUARANTINED: frozenset({DeviceState.ACCEPTED, DeviceState.REVOKED}),
    DeviceState.REVOKED: frozenset(),
}
"""Which state may follow which."""


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A device asks to join: its name, a PEM certificate signing request made with its own key, its facts, and a token.

    Without a token its key must have been preauthorised, else it waits until a person accepts it; it asks again with
    the same key to learn whether that has happened.
    """

    token: str = ""
    name: str
    csr: str
    twin: bool = False
    facts: dict[str, Any] = {}


class JoinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a device keeps: its certificate and the CA (PEM), the TUF root it will believe (JSON), and where MQTT is.

    While `state` is pending there is only the key's fingerprint, which a person compares.
    """

    device: str
    state: DeviceState = DeviceState.ACCEPTED
    fingerprint: str = ""  # SHA-256 of the device's public key (DER, SubjectPublicKeyInfo), 64 hex digits
    certificate: str = ""
    ca: str = ""
    tuf_root: str = ""
    mqtt_host: str | None = None
    mqtt_port: int | None = None


class CertificatePurpose(enum.Enum):
    """What a certificate's key is for."""

    DEVICE = "device"  # the device's own key, from its next assertion on, and the broker
    MQTT = "mqtt"  # the broker only: of a device whose own key lies in a chip


class CertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A device asks for its next certificate: a PEM signing request made with a new key."""

    csr: str
    purpose: CertificatePurpose = CertificatePurpose.DEVICE


class CertificateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate, PEM. The device's old key and certificate are good until the new key was used for an
    assertion."""

    certificate: str


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A client assertion (RFC 7523): a JWT signed with the device's key; `iss` = `sub` = device, `aud` = "lineside",
    short `exp`, `jti`; and `count`, `nonce`, `earlier`, which tell a cloned disk (docs/joining.md)."""

    client_assertion: str


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A short-lived bearer token for the device API; `expires_in` in seconds. A quarantined device gets one too."""

    access_token: str
    expires_in: int
    state: DeviceState = DeviceState.ACCEPTED


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


class JoinTokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A join token that still opens the door. `id` is the beginning of its hash; its text is not kept."""

    id: str
    group: str
    uses: int
    used: int
    created_at: str
    expires_at: str
    twin: bool


class Preauthorisation(msgspec.Struct, frozen=True, kw_only=True):
    """A key that may join without a token, once, under one name. `fingerprint` as in `JoinAnswer`."""

    fingerprint: str
    name: str
    group: str = "default"
    created_at: str = ""


class PreauthorisedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of the keys that may join without a token, by the name they may join under."""

    keys: tuple[Preauthorisation, ...]
    offset: int
    total: int


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Accept a pending or a quarantined device: the fingerprint of the key that was looked at; for a pending one, the
    group it lands in."""

    fingerprint: str
    group: str = "default"


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
    fingerprint: str = ""  # of its public key, as in `JoinAnswer`
    certificate_ends: str | None = None
    asked_from: str = ""  # the address it joined from
    state_at: str | None = None  # since when it is in its state
    state_why: str = ""  # why it was quarantined or revoked
    report: Report | None = None
    wanted: tuple[DesiredComponent, ...] = ()  # what it should run; only where one device is shown
    conflict: ErrorReport | None = None  # its groups want what does not go together; only where one device is shown
    labels: tuple[Label, ...] = ()
    facts: dict[str, Any] = {}  # by which it can be selected, as texts; see `facts.selectable`


class DevicePage(msgspec.Struct, frozen=True, kw_only=True):
    """Devices by name. `total` counts all that were asked for; `next` is the name after which the next page begins."""

    devices: tuple[Device, ...]
    total: int
    next: str | None = None
