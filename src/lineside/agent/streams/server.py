"""The stream manager's server: TCP on this device, a thread a connection, frames of CBOR.

A client says one byte (1) and Connect; the answer to every request carries its `requestId`. A read that waits for
messages waits in a thread of its own, so that the connection's other requests do not wait with it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import uuid
from collections.abc import Callable
from typing import Any

from lineside.agent.streams import cbor
from lineside.agent.streams.manager import Manager
from lineside.agent.streams.protocol import (
    CONNECT_VERSION,
    SERVER_VERSION,
    VERSIONS,
    Operation,
    Refused,
    Status,
)

MAX_FRAME = 64 << 20
MAX_CONNECTIONS = 64
MAX_WAITING = 64
"""Reads that wait at the same time, on all connections."""
GREETING_SECONDS = 10.0

_HEAD = struct.Struct(">ib")
_log = logging.getLogger(__name__)

Admit = Callable[[str | None], bool]
"""Whether a token lets a client in."""


class Server:
    """Listens from its making on; `close` ends it."""

    def __init__(self, manager: Manager, admit: Admit, host: str, port: int) -> None:
        self._manager = manager
        self._admit = admit
        self._socket = socket.create_server((host, port), backlog=16)
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._closed = False
        self.port: int = self._socket.getsockname()[1]

    def serve(self) -> None:
        """Take connections until `close`."""
        while not self._closed:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                if self._is_closed():
                    return
                _log.warning("a connection could not be accepted", exc_info=True)
                continue
            with self._lock:
                if self._closed or len(self._connections) >= MAX_CONNECTIONS:
                    accepted.close()
                    continue
                connection = _Connection(accepted, self._manager, self._admit, self._waiting, self._forget)
                self._connections.add(connection)
            threading.Thread(target=connection.serve, name="stream client", daemon=True).start()

    def close(self) -> None:
        """Take no more connections, and end those there are."""
        with self._lock:
            self._closed = True
            connections = list(self._connections)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in connections:
            connection.close()

    def _is_closed(self) -> bool:
        return self._closed

    def _forget(self, connection: _Connection) -> None:
        with self._lock:
            self._connections.discard(connection)


class _Connection:
    def __init__(
        self,
        accepted: socket.socket,
        manager: Manager,
        admit: Admit,
        waiting: threading.BoundedSemaphore,
        ended: Callable[[_Connection], None],
    ) -> None:
        self._socket = accepted
        self._manager = manager
        self._admit = admit
        self._waiting = waiting
        self._ended = ended
        self._sending = threading.Lock()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self) -> None:
        """Until the client goes."""
        try:
            self._socket.settimeout(GREETING_SECONDS)
            if self._greet():
                self._socket.settimeout(None)
                while True:
                    self._take(*self._receive())
        except (OSError, EOFError, cbor.CborError) as error:
            _log.debug("a client went: %s", error)
        finally:
            self.close()
            self._ended(self)

    def close(self) -> None:
        """End the connection; may be called by any thread, more than once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    # --- greeting -------------------------------------------------------------------------------------------------

    def _greet(self) -> bool:
        """Whether the client may stay."""
        version = self._exactly(1)[0]
        self._socket.sendall(bytes((CONNECT_VERSION,)))
        operation, request = self._receive()
        status, protocol = Status.SUCCESS, VERSIONS[0]
        others = request.get("otherSupportedProtocolVersions")
        offered = [request.get("protocolVersion"), *(others if isinstance(others, list) else ())]
        spoken = [one for one in offered if one in VERSIONS]
        token = request.get("authToken")
        if operation != Operation.CONNECT:
            status = Status.UNEXPECTED_OPERATION
        elif version != CONNECT_VERSION:
            status = Status.UNSUPPORTED_CONNECT
        elif not spoken:
            status = Status.UNSUPPORTED_PROTOCOL
        elif not self._admit(token if isinstance(token, str) else None):
            status = Status.UNAUTHORIZED
        else:
            protocol = spoken[0]
        answer = {
            "protocolVersion": protocol,
            "serverVersion": SERVER_VERSION,
            "supportedProtocolVersions": list(VERSIONS),
            "clientIdentifier": uuid.uuid4().hex,
        }
        why = "" if status is Status.SUCCESS else status.name.lower().replace("_", " ")
        self._answer(Operation.CONNECT_RESPONSE, request, status, why, answer)
        return status is Status.SUCCESS

    # --- requests -------------------------------------------------------------------------------------------------

    def _take(self, operation: int, request: dict[str, Any]) -> None:
        options = request.get("readMessagesOptions")
        if operation == Operation.READ and isinstance(options, dict) and options.get("readTimeoutMillis"):
            if self._waiting.acquire(blocking=False):
                threading.Thread(target=self._wait_and_read, args=(request,), daemon=True).start()
            else:
                self._answer(Operation.READ_RESPONSE, request, Status.UNKNOWN_FAILURE, "too many reads wait already")
            return
        self._do(operation, request)

    def _wait_and_read(self, request: dict[str, Any]) -> None:
        try:
            self._do(Operation.READ, request)
        except OSError:
            self.close()
        finally:
            self._waiting.release()

    def _do(self, operation: int, request: dict[str, Any]) -> None:
        handlers: dict[int, tuple[Operation, Callable[[dict[str, Any]], dict[str, Any]]]] = {
            Operation.CREATE: (Operation.CREATE_RESPONSE, self._create),
            Operation.DELETE: (Operation.DELETE_RESPONSE, self._delete),
            Operation.APPEND: (Operation.APPEND_RESPONSE, self._append),
            Operation.READ: (Operation.READ_RESPONSE, self._read),
            Operation.LIST: (Operation.LIST_RESPONSE, self._list),
            Operation.DESCRIBE: (Operation.DESCRIBE_RESPONSE, self._describe),
            Operation.UPDATE: (Operation.UPDATE_RESPONSE, self._update),
        }
        if operation not in handlers:
            why = f"operation {operation} is not known"
            self._answer(Operation.UNKNOWN_ERROR, request, Status.UNKNOWN_OPERATION, why)
            return
        kind, handle = handlers[operation]
        try:
            self._answer(kind, request, Status.SUCCESS, "", handle(request))
        except Refused as refusal:
            self._answer(kind, request, refusal.status, refusal.why)

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._on_disk(lambda: self._manager.create(request.get("definition")))

    def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._on_disk(lambda: self._manager.update(request.get("definition")))

    def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._on_disk(lambda: self._manager.delete(request.get("name")))

    def _append(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._on_disk(
            lambda: {"sequenceNumber": self._manager.append(request.get("name"), request.get("payload"))}
        )

    def _read(self, request: dict[str, Any]) -> dict[str, Any]:
        name, options = request.get("streamName"), request.get("readMessagesOptions")
        if options is not None and not isinstance(options, dict):
            raise Refused(Status.INVALID, "readMessagesOptions is an object")
        found = self._manager.read(name, options)
        messages = [
            {"streamName": name, "sequenceNumber": one.sequence, "ingestTime": one.at, "payload": one.payload}
            for one in found
        ]
        return {"messages": messages}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"streams": self._manager.names()}

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"messageStreamInfo": self._manager.describe(request.get("name"))}

    def _on_disk(self, act: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """What an act answers; a disk that does not take it is a refusal, not the end of the connection."""
        try:
            return act() or {}
        except OSError as error:
            _log.error("the disk refuses: %s", error)
            raise Refused(Status.UNKNOWN_FAILURE, f"the disk refuses: {error.strerror}") from error

    # --- frames ---------------------------------------------------------------------------------------------------

    def _receive(self) -> tuple[int, dict[str, Any]]:
        length, operation = _HEAD.unpack(self._exactly(_HEAD.size))
        if not 1 <= length <= MAX_FRAME:
            raise EOFError(f"a frame of {length} bytes")
        request = cbor.loads(bytes(self._exactly(length - 1)))
        if not isinstance(request, dict):
            raise cbor.CborError("a request is no map")
        return operation, request

    def _exactly(self, count: int) -> bytearray:
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(min(count - len(data), 1 << 20))
            if not piece:
                raise EOFError("the connection ended")
            data += piece
        return data

    def _answer(
        self,
        operation: Operation,
        request: dict[str, Any],
        status: Status,
        why: str,
        rest: dict[str, Any] | None = None,
    ) -> None:
        id = request.get("requestId")
        said = {"requestId": id if isinstance(id, str) else "", "status": int(status)}
        payload = cbor.dumps(said | ({"errorMessage": why} if why else {}) | (rest or {}))
        with self._sending:
            self._socket.sendall(_HEAD.pack(len(payload) + 1, operation) + payload)
