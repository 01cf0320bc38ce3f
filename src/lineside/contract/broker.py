"""The MQTT broker that devices use: the control plane's own, or another that it is a client of."""

from __future__ import annotations

import ipaddress
import re

import msgspec

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is. `own` is whether it runs in the control plane; `problem` says why it cannot be used now, `next` what
    to do about it."""

    own: bool
    host: str | None = None
    port: int | None = None
    problem: str | None = None
    next: str | None = None


class BrokerCertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A PEM signing request of a P-256 key with the subject CN=`names[0]`; `names` are host names and addresses."""

    csr: str
    names: tuple[str, ...]


class BrokerCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What another broker needs, PEM: its certificate, the CA it trusts devices by, and the revocation list, which it
    finds anew at `crl_url`."""

    certificate: str
    ca: str
    crl: str
    crl_url: str


def is_host(text: str) -> bool:
    """Whether it is a host name (RFC 1123, at most 64 characters) or an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 64 and _HOST.fullmatch(text) is not None
    return True
