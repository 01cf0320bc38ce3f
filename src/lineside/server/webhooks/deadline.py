"""Connections that are hung up when a whole try has taken too long.

A socket's time-out is for each read: a receiver that sends a byte now and then would hold its thread for ever.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class Deadline:
    """Within it, what this thread asks by connections of `pool` ends after so many seconds; `over` says that it did."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self.over = False

    def __enter__(self) -> Self:
        _now.deadline = self
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        _now.deadline = None
        self._timer.cancel()
        with self._lock:
            self._close()

    def watch(self, line: socket.socket) -> None:
        """This is the connection now. A second descriptor is kept: TLS takes the first one over."""
        with self._lock:
            self._close()
            self._line = socket.socket(fileno=os.dup(line.fileno()))
            if self.over:
                self._hang_up()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._hang_up()

    def _hang_up(self) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                self._line.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Now(threading.local):
    deadline: Deadline | None = None


_now = _Now()


def _watch(line: Any) -> None:
    if _now.deadline is not None and line is not None:
        _now.deadline.watch(line)


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        line = super()._new_conn()
        _watch(line)
        return line

    def request(self, *args: Any, **more: Any) -> None:
        _watch(self.sock)  # one that was kept
        super().request(*args, **more)


class _Tls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        line = super()._new_conn()
        _watch(line)
        return line

    def request(self, *args: Any, **more: Any) -> None:
        _watch(self.sock)
        super().request(*args, **more)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Tls


def watched(pool: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same pool, with connections that a deadline can end."""
    pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return pool
