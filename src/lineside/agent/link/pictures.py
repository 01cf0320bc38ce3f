"""The live picture of a component's runtime, asked for over the unix socket in its work folder (see the runtime's local
API). The agent passes it on and looks at none of its pixels."""

from __future__ import annotations

import http.client
import os
import socket
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import MAX_PICTURE, LivePicture
from lineside.contract.reading import UNREADABLE

SOCKET = "api.sock"
_SECONDS = 5.0
_MOST = 4 * MAX_PICTURE


def live_picture(component: str, work: Path) -> LivePicture | None:
    """What was decided since the question before; None when nothing was. Raises `inquiry.no_picture`."""
    try:
        status, body = _asked(work)
        if status == http.client.NO_CONTENT:
            return None
        if status == http.client.OK:
            picture = msgspec.json.decode(body, type=LivePicture)
            if len(picture.jpeg) <= MAX_PICTURE:
                return picture
        why = f"its runtime answers {status}"
    except (OSError, http.client.HTTPException, *UNREADABLE) as error:
        why = str(error) or type(error).__name__
    raise LinesideError("inquiry.no_picture", component=component, why=why)


def _asked(work: Path) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("localhost", timeout=_SECONDS)
    folder = os.open(work, os.O_RDONLY | os.O_DIRECTORY)  # a socket's whole name may be too long for the system
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_SECONDS)
        connection.sock.connect(f"/proc/self/fd/{folder}/{SOCKET}")
        connection.request("GET", "/lineside/live")
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST)
    finally:
        os.close(folder)
        connection.close()
