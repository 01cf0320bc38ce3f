"""Connections to a host, through a proxy if there is one; each way of failing has its own code.

link.dns  link.refused  link.timeout  link.proxy  link.captive_portal  link.unreachable (anything else)
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from lineside.agent.link.error import LinkError
from lineside.agent.link.proxy import Proxy, proxy_for

CONNECT_SECONDS = 10.0
_MAX_ANSWER = 16 << 10  # bytes of a proxy's answer to CONNECT
_CLOCK = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


class DatesRefused(LinkError):
    """The certificate is not valid now, by the clock of this device."""


def dial(host: str, port: int) -> socket.socket:
    """A TCP connection without delays, directly or through the proxy. Raises `LinkError`."""
    proxy = proxy_for(host)
    if proxy is None:
        return _open(host, port, f"{host}:{port}")
    if proxy.scheme != "http":
        why = f"a proxy by {proxy.scheme}:// is not supported, only by http://"
        raise LinkError("link.proxy", proxy=proxy, url=f"{host}:{port}", why=why)
    try:
        connection = _open(proxy.host, proxy.port, str(proxy))
    except LinkError as error:
        raise LinkError("link.proxy", proxy=proxy, url=f"{host}:{port}", why=error.message.rstrip(".")) from error
    try:
        _tunnel(connection, proxy, host, port)
    except BaseException:
        connection.close()
        raise
    return connection


def secure(connection: socket.socket, context: ssl.SSLContext, host: str, url: str) -> ssl.SSLSocket:
    """TLS over a connection. Raises `LinkError`, `DatesRefused`; the connection is then closed."""
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except OSError as error:
        connection.close()
        raise explained(error, url) from error


def explained(error: Exception, url: str) -> LinkError:
    """An exception of a socket or of TLS as an error of the link."""
    if isinstance(error, LinkError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not the control plane's ({error.verify_message.rstrip('.')})"
        if error.verify_code in _CLOCK:
            return DatesRefused("link.unreachable", url=url, why=error.verify_message)
        return LinkError("link.captive_portal", url=url, why=why)
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"):
        return LinkError("link.captive_portal", url=url, why="it does not speak TLS")
    if isinstance(error, socket.gaierror):
        return LinkError("link.dns", host=url, why=error.strerror)
    if isinstance(error, TimeoutError):
        return LinkError("link.timeout", url=url)
    if isinstance(error, ConnectionRefusedError):
        return LinkError("link.refused", url=url)
    return LinkError("link.unreachable", url=url, why=_why(error))


def _why(error: Exception) -> str:
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(text) or type(error).__name__


def _open(host: str, port: int, url: str) -> socket.socket:
    try:
        connection = socket.create_connection((host, port), CONNECT_SECONDS)
        # Without TCP_NODELAY a round trip takes 44 ms (Nagle's algorithm against delayed acknowledgements).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    except socket.gaierror as error:
        raise LinkError("link.dns", host=host, why=error.strerror) from error
    except (OSError, UnicodeError) as error:
        raise explained(error, url) from error


def _tunnel(connection: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    try:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        status = _answer(connection.recv)
    except OSError as error:
        raise LinkError("link.proxy", proxy=proxy, url=target, why=_why(error)) from error
    words = status.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].startswith("2"):
        raise LinkError("link.proxy", proxy=proxy, url=target, why=f"it answered {' '.join(words[1:]) or 'nothing'}")


def _answer(receive: Callable[[int], bytes]) -> str:
    """The first line of a proxy's answer; read byte by byte, because what follows the headers is the tunnel's."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < _MAX_ANSWER:
        byte = receive(1)
        if not byte:
            break
        head += byte
    return head.partition(b"\r\n")[0].decode("latin-1")
