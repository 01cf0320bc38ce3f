"""Targets that are bytes on a socket: CBOR, the stream manager's frames, the local bus's frames."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import struct
import threading
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.fuzz.target import Target, Undocumented
from lineside.agent.bus import frames
from lineside.agent.bus.frames import Decoder, FrameError, MessageType
from lineside.agent.streams import cbor
from lineside.agent.streams.manager import Manager
from lineside.agent.streams.protocol import Operation
from lineside.agent.streams.server import _Connection

_RUNS_A_MANAGER = 500


def _cbor(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except cbor.CborError:
        return
    with contextlib.suppress(cbor.CborError):
        cbor.dumps(value)


class _Quiet(socket.socket):
    """One end of a pair, which knows no options of TCP."""

    def setsockopt(self, *arguments: Any) -> None:
        """Do nothing."""


class _Streams:
    """A client's bytes, all at once, to a real connection of the stream manager's server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0
        self._manager: Manager | None = None
        self._busy = threading.BoundedSemaphore(1)
        self._busy.acquire()  # nobody waits for messages here

    def read(self, data: bytes) -> None:
        if self._runs % _RUNS_A_MANAGER == 0:
            self._renew()
        self._runs += 1
        assert self._manager is not None
        end, theirs = socket.socketpair()
        ours = _Quiet(end.family, end.type, end.proto, end.detach())
        with ours, theirs:
            reader = threading.Thread(target=_drain, args=(theirs,))
            writer = threading.Thread(target=_send, args=(theirs, data))
            reader.start()
            writer.start()
            try:
                _Connection(ours, self._manager, lambda token: True, self._busy, lambda one: None).serve()
            finally:
                ours.close()
                writer.join()
                reader.join()

    def _renew(self) -> None:
        if self._manager is not None:
            self._manager.close()
        shutil.rmtree(self._folder / "streams", ignore_errors=True)
        self._manager = Manager(self._folder / "streams", self._folder / "streams-exports")


def _send(target: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _drain(source: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while source.recv(1 << 16):
            pass


CONNECT = {"protocolVersion": "1.1.0", "otherSupportedProtocolVersions": ["1.0.0"], "sdkVersion": "x"}


def _conversation(*requests: tuple[Any, Any]) -> bytes:
    """What a client sends; of operations and requests that cannot be written, as much as can."""
    out = b"\x01"
    for operation, request in requests:
        with contextlib.suppress(cbor.CborError, UnicodeEncodeError, struct.error):
            body = cbor.dumps(request)
            out += struct.pack(">ib", len(body) + 1, operation) + body
    return out


def _as_frames(data: bytes) -> bytes:
    """JSON `[[operation, request], …]` as frames of a client that has connected; other bytes as they are."""
    try:
        said = json.loads(data)
        return _conversation(*[(one[0], one[1]) for one in said])
    except (ValueError, TypeError, LookupError, RecursionError):
        return data


def _ipc(data: bytes) -> None:
    """As they come, in pieces of any size, and once more with every checksum right."""
    for given in (data, _resealed(data)):
        decoder = Decoder(1 << 20)
        try:
            for at in range(0, len(given), 97):
                for frame in decoder.feed(given[at : at + 97]):
                    frame.number(":message-type"), frame.text("operation")
        except FrameError:
            continue
        if decoder.waiting > (1 << 20) + 97:
            raise Undocumented("it keeps more than a frame")


def _resealed(data: bytes) -> bytes:
    """The same frames, as far as their lengths say where they are, with checksums that fit."""
    out, at = b"", 0
    while len(data) - at >= 16:
        total = int.from_bytes(data[at : at + 4], "big")
        if not 16 <= total <= len(data) - at:
            break
        front = data[at : at + 8] + crc32(data[at : at + 8]).to_bytes(4, "big") + data[at + 12 : at + total - 4]
        out += front + crc32(front).to_bytes(4, "big")
        at += total
    return out + data[at:]


def targets(folder: Path) -> list[Target]:
    """`folder`: for their temporary files."""
    definition = {"name": "s", "strategyOnFull": 0, "maxSize": 4096, "streamSegmentSize": 1024, "persistence": 0}
    reading = {"minMessageCount": 1, "maxMessageCount": 2, "desiredStartSequenceNumber": 0}
    executor = {"identifier": "e", "sizeThresholdForMultipartUploadBytes": 5 << 20, "priority": 1}
    exporting = definition | {"name": "t", "exportDefinition": {"s3TaskExecutor": [executor]}}
    requests: list[tuple[Operation, dict[str, Any]]] = [
        (Operation.CONNECT, CONNECT),
        (Operation.CREATE, {"definition": definition}),
        (Operation.CREATE, {"definition": exporting}),
        (Operation.APPEND, {"name": "s", "payload": "hello"}),
        (Operation.APPEND, {"name": "t", "payload": '{"inputUrl": "file:///a", "bucket": "b", "key": "k"}'}),
        (Operation.READ, {"streamName": "s", "readMessagesOptions": reading}),
        (Operation.DESCRIBE, {"name": "s"}),
        (Operation.UPDATE, {"definition": definition | {"maxSize": 8192}}),
        (Operation.LIST, {}),
        (Operation.DELETE, {"name": "s"}),
    ]
    requests = [(operation, {"requestId": str(number)} | one) for number, (operation, one) in enumerate(requests)]
    payload = {"requestId": "1", "name": "s", "payload": b"hello"}
    talk = _conversation(*requests[:2], (Operation.APPEND, payload), *requests[5:])
    said = json.dumps(requests).encode()
    streams = _Streams(folder)
    value = cbor.dumps({"a": [1, -2, 3.5, None, True, b"bytes", "text"], "b": {"c": 2**63}})
    hello = frames.encode({":version": "0.1.0", ":message-type": 4, ":stream-id": 0, "flag": True, "b": b"x"}, b"{}")
    call = frames.message(MessageType.APPLICATION_MESSAGE, 0, 1, b'{"a":1}', "PublishToTopicRequest")
    return [
        Target("cbor", [value, cbor.dumps([[[]]]), bytes.fromhex("bf6161019f02ffff")], _cbor),
        Target("stream-frames", [talk, _conversation(requests[0])], streams.read),
        Target("stream-requests", [said], lambda data: streams.read(_as_frames(data)), bytes_too=False),
        Target("ipc-frames", [hello + call, call], _ipc),
    ]
