"""Which proxy stands between the device and a host: HTTPS_PROXY and NO_PROXY, as curl and Go read them.

    HTTPS_PROXY (or https_proxy, ALL_PROXY)   http://[user:password@]host:port
    NO_PROXY (or no_proxy)                    names (and what is below them), addresses, networks as 10.0.0.0/8, or *

The device itself (localhost, 127.0.0.0/8, ::1) is never reached by proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy that is asked to CONNECT."""

    host: str
    port: int
    authorization: str = ""  # value of Proxy-Authorization
    scheme: str = "http"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"  # never the password


def proxy_for(host: str, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """The proxy for a host, or None when it is reached directly."""
    text = _value(environment, "HTTPS_PROXY") or _value(environment, "ALL_PROXY")
    if not text or _local(host) or _excepted(host, _value(environment, "NO_PROXY")):
        return None
    parts = urlsplit(text if "://" in text else f"http://{text}")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(parts.hostname or "", parts.port or 8080, authorization, parts.scheme)


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.lower()) or environment.get(name) or ""


def _local(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _excepted(host: str, exceptions: str) -> bool:
    address = _address(host)
    for entry in (one.strip().lower() for one in exceptions.split(",")):
        if entry == "*":
            return True
        if address is not None and entry and address in _network(entry):
            return True
        name = entry.lstrip(".")
        if name and (host.lower() == name or host.lower().endswith(f".{name}")):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _network(text: str) -> tuple[object, ...] | ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ()
