"""The bus's thread: one selector over the socket, its connections and what other threads ask for."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from lineside.agent.bus import frames
from lineside.agent.bus.address import Address
from lineside.agent.bus.buffers import Budget
from lineside.agent.bus.connection import Connection
from lineside.agent.bus.frames import FrameError, MessageType
from lineside.agent.bus.protocol import Protocol

MAX_CONNECTIONS = 512
HANDSHAKE_SECONDS = 10.0
"""How long a client may take to say who it is."""
LINGER_SECONDS = 1.0
"""How long a client that is sent away may take to read why. Closed at once, the SDK sees a lost socket instead."""
_TICK = 5.0
_END_SECONDS = 5.0
_BACKLOG = 128
_PEER = struct.Struct("3i")

_log = logging.getLogger(__name__)


class Server:
    """Serves one socket until `stop`. `post` and `stop` may be called from any thread, the rest from its own."""

    def __init__(self, address: Address, protocol: Protocol, tick: Callable[[], None]) -> None:
        self._address = address
        self._protocol = protocol
        self._tick = tick
        self._budget = Budget()
        self._connections: dict[int, Connection] = {}
        self._deadlines: dict[int, float] = {}  # of connections without a component, or sent away
        self._unsent: set[Connection] = set()
        self._posted: deque[Callable[[], None]] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._wake_lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._listening = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)
        self.refused = 0
        self.error: OSError | None = None  # why nobody can connect
        self._dropped = 0

    # --- any thread -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the socket and serve it. Where that cannot be, it is tried again and again."""
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._open()
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and the socket."""
        self._stopping = True
        self.post(lambda: None)
        with self._wake_lock:
            if self._wake < 0:
                return  # stopped before
        if self._thread.ident is not None:
            self._thread.join(_END_SECONDS)
            if self._thread.is_alive():  # something it asked the agent for does not return; it ends with the process
                _log.error("the local bus did not end")
                return
        self._selector.close()
        with self._wake_lock:
            os.close(self._wake)
            self._wake = -1

    def post(self, act: Callable[[], None]) -> None:
        """Have something done in the bus's thread soon, in the order of asking."""
        self._posted.append(act)
        with self._wake_lock:  # the number of a closed handle may belong to another file
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    @property
    def alive(self) -> bool:
        """Whether what is posted will be done."""
        return self._thread.is_alive() and not self._stopping

    @property
    def here(self) -> bool:
        """Whether the caller is the bus's thread."""
        return threading.current_thread() is self._thread

    @property
    def dropped(self) -> int:
        """Events that slow components never got."""
        return self._dropped + sum(one.outgoing.dropped for one in list(self._connections.values()))

    # --- its own thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        next_tick = 0.0
        try:
            while not self._stopping:
                now = time.monotonic()
                if now >= next_tick:
                    next_tick = now + _TICK
                    self._open()
                    self._guarded(self._tick)
                wake_at = min((next_tick, *self._deadlines.values()))
                for key, events in self._selector.select(max(0.0, wake_at - now)):
                    self._ready(key, events)
                self._end_overdue(time.monotonic())
                self._do_posted()
                self._flush()
        finally:
            for connection in list(self._connections.values()):
                self._close(connection)
            self._listen(False)
            if self._listener is not None:
                self._listener.close()
            self._address.close()

    def _ready(self, key: selectors.SelectorKey, events: int) -> None:
        if key.data is None:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        elif key.data is self:
            self._accept()
        else:
            if events & selectors.EVENT_WRITE:
                self._unsent.add(key.data)
            if events & selectors.EVENT_READ:
                self._read(key.data)

    def _do_posted(self) -> None:
        for _ in range(len(self._posted)):  # what these post in turn waits for the next time round
            self._guarded(self._posted.popleft())
        if self._posted:
            os.eventfd_write(self._wake, 1)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:  # noqa: BLE001 nothing that is asked of the bus may end it
            _log.exception("the bus met a mistake")

    def _open(self) -> None:
        """Listen, unless that is so. A socket that somebody removed is made anew; connections that are there stay."""
        if self._listener is not None and not self._address.there():
            self._listen(False)
            self._listener.close()
            self._listener = None
        if self._listener is None:
            try:
                self._listener = self._address.open(_BACKLOG)
            except OSError as error:
                self.error = error
                return
            self.error = None
        self._listen(True)

    def _listen(self, wanted: bool) -> None:
        if self._listener is None or wanted == self._listening:
            return
        if wanted:
            self._selector.register(self._listener, selectors.EVENT_READ, self)
        else:
            self._selector.unregister(self._listener)
        self._listening = wanted

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    _log.warning("no more connections can be taken for now: %s", error)
                    self._listen(False)  # until the next tick
                return
            if len(self._connections) >= MAX_CONNECTIONS:
                self.refused += 1
                sock.close()
                continue
            self._take(sock)

    def _take(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        _, user, _ = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        connection = Connection(sock, user, self._budget, self._changed)
        handle = sock.fileno()
        self._connections[handle] = connection
        self._deadlines[handle] = time.monotonic() + HANDSHAKE_SECONDS
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _changed(self, connection: Connection) -> None:
        self._unsent.add(connection)

    def _read(self, connection: Connection) -> None:
        try:
            received = connection.read()
            if received is None:
                self._close(connection)
                return
            for frame in received:
                self._protocol.received(connection, frame)
                if connection.closing:
                    self._send_away(connection)
                    return
            connection.hold()
            if connection.component is not None:
                self._deadlines.pop(connection.socket.fileno(), None)
        except FrameError as error:
            _log.warning("ended the connection of %s: %s", connection.component or "a stranger", error)
            text = str(error).encode()
            connection.send(frames.encode(_PROTOCOL_ERROR, b'{"message":"%s"}' % text.replace(b'"', b"'")))
            self._send_away(connection)
        self._unsent.add(connection)

    def _send_away(self, connection: Connection) -> None:
        """Let it read what was sent last, and close it then."""
        connection.closing = True
        for call in list(connection.calls.values()):
            call.close()
        self._deadlines[connection.socket.fileno()] = time.monotonic() + LINGER_SECONDS

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, set()
        for connection in unsent:
            handle = connection.socket.fileno()
            if handle < 0:
                continue
            if not connection.write():
                self._close(connection)
                continue
            wanted = selectors.EVENT_READ if connection.wants_read else 0
            wanted |= selectors.EVENT_WRITE if connection.wants_write else 0
            self._watch(connection, wanted)

    def _watch(self, connection: Connection, wanted: int) -> None:
        registered: Any = self._selector.get_map().get(connection.socket)
        if registered is None:
            if wanted:
                self._selector.register(connection.socket, wanted, connection)
        elif not wanted:
            self._selector.unregister(connection.socket)
        elif registered.events != wanted:
            self._selector.modify(connection.socket, wanted, connection)

    def _end_overdue(self, now: float) -> None:
        for handle, deadline in list(self._deadlines.items()):
            if now >= deadline:
                self._close(self._connections[handle])

    def _close(self, connection: Connection) -> None:
        handle = connection.socket.fileno()
        if handle < 0:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection.socket)
        self._connections.pop(handle, None)
        self._deadlines.pop(handle, None)
        self._dropped += connection.outgoing.dropped
        connection.outgoing.dropped = 0
        self._guarded(connection.close)


_PROTOCOL_ERROR: dict[str, frames.Value] = {
    ":message-type": int(MessageType.PROTOCOL_ERROR),
    ":message-flags": 0,
    ":stream-id": 0,
    ":content-type": "application/json",
}
