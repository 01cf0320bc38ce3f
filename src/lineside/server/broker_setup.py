"""Which broker a control plane uses: its own, or the one that the setting `mqtt_url` names."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.server.access.ca import CertificateAuthority
from lineside.server.adapters.broker import Broker, OnResult
from lineside.server.adapters.embedded_broker import EmbeddedBroker, tls_context
from lineside.server.adapters.external_broker import Behind, ExternalBroker
from lineside.server.adapters.files import write_atomic
from lineside.server.adapters.mqtt_connection import Address
from lineside.server.clock import SystemClock
from lineside.server.settings import Settings

_PORT = 8883


@dataclass(frozen=True, kw_only=True)
class Uses:
    """What a broker asks the control plane, in threads: see `EmbeddedBroker` and `external_broker.Behind`."""

    may_connect: Callable[[str, str], bool]
    known: Callable[[str], bool]
    leads: Callable[[], bool]
    on_result: OnResult


def open_broker(
    keys: Path,
    settings: Settings,
    ca: CertificateAuthority,
    server_pem: Path,
    listener: socket.socket | None,
    uses: Uses,
) -> Broker:
    """The broker of these settings, not yet started. Raises `start.setting_invalid`."""
    if listener is not None:
        return EmbeddedBroker(listener, tls_context(server_pem, ca.pem), uses.may_connect, uses.on_result)
    host, port = mqtt_address(settings.mqtt_url)
    behind = Behind(on_result=uses.on_result, known=uses.known, leads=uses.leads, session=ca.known_name("results"))
    return ExternalBroker(Address(host, port, _client_tls(keys, settings, ca)), behind)


def mqtt_address(url: str) -> tuple[str, int]:
    """Host and port of mqtts://HOST[:PORT]. Raises `start.setting_invalid`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    else:
        if parts.scheme != "mqtts" or parts.path.strip("/") or parts.query or parts.username:
            host = None
    if not host:
        raise LinesideError("start.setting_invalid", why=f"mqtt_url must be mqtts://HOST:PORT, and is {url}")
    return host, port or _PORT


def _client_tls(keys: Path, settings: Settings, ca: CertificateAuthority) -> ssl.SSLContext:
    """TLS 1.2 or newer, with a new certificate at every start: nothing pins it."""
    path = keys / "broker-client.pem"
    write_atomic(path, ca.client_pem(topics.CONTROL_PLANE, SystemClock().now()), mode=0o600)
    try:
        if settings.mqtt_ca:
            context = ssl.create_default_context(cafile=settings.mqtt_ca)
        else:
            context = ssl.create_default_context(cadata=ca.pem)
    except OSError as error:
        raise LinesideError("start.setting_invalid", why=f"mqtt_ca {settings.mqtt_ca}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context
