"""A camera of one's own: an RTSP server (RFC 2326) that sends MPEG-TS over RTP within its TCP connection, as PyAV makes
it. It can freeze, fall silent, be cut off and come back. And video files, made the same way."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from tests.eventually import PATIENCE

SIDE = 64
RATE = 25
_PACKETS = 7 * 188  # bytes of MPEG-TS in one RTP packet
_MP2T = 33  # payload type
_SOUND = 44_100  # samples a second


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def write_video(path: Path, pictures: Iterable[NDArray[np.uint8]], rate: int = 10) -> Path:
    """A Matroska file without loss (FFV1)."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def _hum(container: OutputContainer, stream: AudioStream, heard: int) -> int:
    """Sound for one picture; how many samples there were by then."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * _SOUND // RATE), np.int16), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = _SOUND, heard, Fraction(1, _SOUND)
    container.mux(stream.encode(frame))
    return heard + frame.samples


class _Rtp:
    """A file that sends what is written to it as RTP packets within an RTSP connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._waiting, self._number = connection, b"", 0

    def write(self, data: bytes) -> int:
        self._waiting += bytes(data)
        whole = len(self._waiting) // 188 * 188
        for start in range(0, whole, _PACKETS):
            payload = self._waiting[start : min(start + _PACKETS, whole)]
            head = struct.pack(">BBHII", 0x80, _MP2T, self._number & 0xFFFF, self._number * 3600, 1)
            self._connection.sendall(struct.pack(">cBH", b"$", 0, 12 + len(payload)) + head + payload)
            self._number += 1
        self._waiting = self._waiting[whole:]
        return len(data)


class Camera:
    """Sends pictures of rising brightness, and sound. `frozen`: the same again and again; `silent`: none, though
    connected; `blind`: sound alone."""

    def __init__(self) -> None:
        self.frozen, self.silent, self.blind = Event(), Event(), Event()
        self._level = 0
        self._port = 0
        self._connections: list[socket.socket] = []
        self._threads: list[Thread] = []
        self.open()

    @property
    def url(self) -> str:
        return f"rtsp://user:secret@127.0.0.1:{self._port}/live"

    def open(self) -> None:
        self._ended = Event()
        self._server = socket.create_server(("127.0.0.1", self._port))
        self._port = self._server.getsockname()[1]
        self._start(self._accept, self._server, self._ended)

    def close(self) -> None:
        """Cut off: no connection, no answer."""
        self._ended.set()
        for one in (self._server, *self._connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._connections, self._threads = [], []

    def _start(self, act: object, *arguments: object) -> None:
        thread = Thread(target=act, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket, ended: Event) -> None:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._start(self._talk, connection, ended)

    def _talk(self, connection: socket.socket, ended: Event) -> None:
        waiting = b""
        with contextlib.suppress(OSError):
            while not ended.is_set():
                while b"\r\n\r\n" not in waiting:
                    received = connection.recv(4096)
                    if not received:
                        return
                    waiting += received
                request, _, waiting = waiting.partition(b"\r\n\r\n")
                lines = request.decode().split("\r\n")
                method = lines[0].split()[0]
                number = next(line.split(":")[1].strip() for line in lines if line.lower().startswith("cseq"))
                connection.sendall(self._answer(method, number))
                if method == "PLAY":
                    self._start(self._play, connection, ended)

    def _answer(self, method: str, number: str) -> bytes:
        sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
        extra = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n",
            "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
        }.get(method, "Session: 1\r\n")
        return f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{extra}\r\n{sdp if method == 'DESCRIBE' else ''}".encode()

    def _play(self, connection: socket.socket, ended: Event) -> None:
        at_once = {"max_interleave_delta": "1"}  # µs for which a stream waits for the other
        with (
            contextlib.suppress(OSError, av.FFmpegError),
            av.open(_Rtp(connection), "w", format="mpegts", container_options=at_once) as container,
        ):
            stream = container.add_stream("mpeg2video", rate=RATE, options={"g": "1", "qmin": "3", "qmax": "3"})
            stream.width = stream.height = SIDE
            stream.pix_fmt = "yuv420p"
            stream.time_base = Fraction(1, RATE)
            sound = container.add_stream("mp2", rate=_SOUND)
            count = heard = 0
            while not ended.wait(1 / RATE):
                if self.silent.is_set():
                    continue
                heard = _hum(container, sound, heard)
                if self.blind.is_set():
                    continue
                self._level += not self.frozen.is_set()
                frame = av.VideoFrame.from_ndarray(grey(30 + self._level % 200), format="rgb24")
                frame.pts, count = count, count + 1
                container.mux(stream.encode(frame))
