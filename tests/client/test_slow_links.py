"""A link so slow that sending takes longer than connecting may."""

from __future__ import annotations

import socket
import time
from threading import Thread

import pytest
import urllib3

from lineside.client import connection
from tests.eventually import PATIENCE

_MUCH = 4_000_000
_CONNECT = 0.5
_PAUSES = 16  # of a tenth of a second each


def _sip(listener: socket.socket, heard: list[int]) -> None:
    """Read one request slowly, and answer it."""
    caller, _ = listener.accept()
    with caller:
        while sum(heard) < _MUCH:
            heard.append(len(caller.recv(_MUCH // _PAUSES)))
            time.sleep(0.1)
        caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def test_bytes_may_take_longer_to_send_than_a_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_TIMEOUT", urllib3.Timeout(connect=_CONNECT, read=PATIENCE))
    heard: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        server = Thread(target=_sip, args=(listener, heard), daemon=True)
        server.start()
        asking = connection.Connection(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert asking.send("PUT", "/blobs", data=bytes(_MUCH)) == b"{}"
        server.join(PATIENCE)
        asking.close()
    assert sum(heard) >= _MUCH
