"""TLS towards the control plane and its broker: the CA that joining pinned, and the device's own certificate.

A device whose clock is wrong by years cannot judge when a certificate is valid. For it, and only while its clock cannot
be right, OpenSSL does not look at the dates; who signed the certificate and for which name is checked as ever, and the
dates are compared with the corrected time.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache

from lineside.agent.clock import Clock
from lineside.agent.link.dial import DatesRefused, secure
from lineside.agent.link.error import LinkError
from lineside.agent.paths import Paths

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name."""

ContextMaker = Callable[[bool], ssl.SSLContext]
"""Makes a context; the argument tells whether dates are checked by the system's clock."""


def server_context(cafile: str | None, check_time: bool = True) -> ssl.SSLContext:
    """For HTTPS: the control plane's certificate must come from this CA (None: nobody is checked, for joining only)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cafile is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.load_verify_locations(cafile)
    if not check_time:
        context.verify_flags |= NO_CHECK_TIME
    return context


def for_server(cafile: str | None) -> ContextMaker:
    """Contexts for HTTPS, each made once."""
    return lru_cache(2)(lambda check_time: server_context(cafile, check_time))


def for_device(paths: Paths) -> ContextMaker:
    """Contexts with the device's certificate and key, for the broker, read anew each time: they are renewed. They raise
    OSError when a file is unusable."""

    def make(check_time: bool) -> ssl.SSLContext:
        context = server_context(str(paths.ca), check_time)
        certificate = paths.certificate if paths.key.exists() else paths.mqtt_certificate
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        return context

    return make


def handshake(connection: socket.socket, make: ContextMaker, host: str, url: str, clock: Clock) -> ssl.SSLSocket:
    """TLS over a connection, by this device's clock if it can be right. Raises `LinkError`, the connection closed."""
    check_time = clock.plausible()
    try:
        context = make(check_time)
    except OSError as error:
        connection.close()
        raise LinkError("link.unreachable", url=url, why=f"the device's certificate is unusable ({error})") from error
    secured = secure(connection, context, host, url)
    judged = context.verify_mode == ssl.CERT_REQUIRED and not check_time
    if judged and not valid_at(secured.getpeercert() or {}, clock.time()):
        secured.close()
        raise DatesRefused("link.unreachable", url=url, why="its certificate is not valid now")
    return secured


def valid_at(certificate: Mapping[str, object], moment: float) -> bool:
    """Whether a certificate, as `SSLSocket.getpeercert` describes it, is valid at a time."""
    begins, ends = certificate.get("notBefore"), certificate.get("notAfter")
    if not isinstance(begins, str) or not isinstance(ends, str):
        return False
    return ssl.cert_time_to_seconds(begins) <= moment <= ssl.cert_time_to_seconds(ends)
