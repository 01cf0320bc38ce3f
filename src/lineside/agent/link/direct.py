"""A signed PUT into a bucket: past the control plane, to whoever its ticket names, believed by the system's CAs.

What goes wrong here says nothing about the control plane: it is no condition of the device, and the ticket's own
address is open in any case.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
from urllib.parse import urlsplit

from lineside.agent.link.dial import dial, explained, secure
from lineside.agent.link.error import LinkError
from lineside.agent.ports import Content
from lineside.contract.capture import SignedPut

_SECONDS = 30.0


def put(signed: SignedPut, data: Content) -> None:
    """Send bytes to where a ticket allows it. Raises `LinkError`."""
    parts = urlsplit(signed.url)
    base, host = f"{parts.scheme}://{parts.netloc}", parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        found = dial(host, port)
        connection.sock = secure(found, ssl.create_default_context(), host, base) if parts.scheme == "https" else found
        connection.sock.settimeout(_SECONDS)
        connection.request("PUT", f"{parts.path}?{parts.query}", iter(data), signed.headers)
        answer = connection.getresponse()
        answer.read(1 << 16)
    except (OSError, http.client.HTTPException) as error:
        raise explained(error, base) from error
    finally:
        with contextlib.suppress(OSError):
            connection.close()
    if answer.status >= 300:
        raise LinkError("link.answer", status=answer.status, path=parts.path)
