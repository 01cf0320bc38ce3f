"""The world of `benchmarks.runtime_day`: a way to the broker that can be cut, a failing camera, an ear that checks."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import time
import zlib
from collections import Counter
from pathlib import Path

import av
import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.runtime_rig import Listener

RATE = 25  # of the camera


def picture(width: int, height: int, seed: int) -> bytes:
    """A JPEG of soft shapes."""
    rng = np.random.default_rng(seed)
    shapes = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height))
    buffer = io.BytesIO()
    shapes.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def record(path: Path, frames: int, seed: int) -> None:
    """A video file of 64 pixels, put in place whole."""
    rng = np.random.default_rng(seed)
    unfinished = path.with_suffix(".tmp")
    with av.open(str(unfinished), "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            level: NDArray[np.uint8] = np.full((64, 64, 3), rng.integers(0, 256), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(level, format="rgb24")))
        container.mux(stream.encode())
    unfinished.replace(path)


class Way:
    """A TCP way to a port, which can be cut and opened again."""

    def __init__(self, to: int) -> None:
        self._to, self._open = to, threading.Event()
        self._open.set()
        self._ends: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._open.clear()
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        self._open.set()

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            if not self._open.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends.add(end)
            threading.Thread(target=self._pass, args=(near, far), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self._ends.discard(end)


class Camera:
    """A network camera that sends JPEGs over HTTP. `frozen`: the same again and again; `dead`: it answers nobody."""

    def __init__(self) -> None:
        self.frozen, self.dead = threading.Event(), threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._send, args=(connection,), daemon=True).start()

    def _send(self, connection: socket.socket) -> None:
        number = 0
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            kind = "multipart/x-mixed-replace; boundary=frame"
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
            while not self.dead.is_set():
                number += not self.frozen.is_set()
                data = picture(64, 64, number % 997)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                connection.sendall(head.encode() + data + b"\r\n")
                time.sleep(1 / RATE)


class _Heard(msgspec.Struct):
    sequence: int
    image: str
    source: str = ""


class Ear(Listener):
    """Hears results at the broker itself, and keeps what proves that none is lost and none doubled."""

    def __init__(self, port: int) -> None:
        self.numbers: dict[int, int] = {}  # sequence -> checksum of the result
        self.images: dict[str, Counter[str]] = {}  # source -> image -> results with different numbers
        self.again = self.contradictions = 0
        self._read = msgspec.json.Decoder(_Heard)
        super().__init__(port, "lineside/v1/+/results")

    def heard(self, payload: bytes) -> None:
        """A result, which may be one that came before."""
        result, checksum = self._read.decode(payload), zlib.crc32(payload)
        if result.sequence in self.numbers:  # sent again after the way was cut: the same number, the same result
            self.again += 1
            self.contradictions += self.numbers[result.sequence] != checksum
            return
        self.numbers[result.sequence] = checksum
        self.images.setdefault(result.source, Counter())[result.image] += 1


def load_again(socket_path: Path, model: str) -> int:
    """Asks the runtime's local API to load a model from where its folder points now; the HTTP status."""
    connection = http.client.HTTPConnection("localhost", timeout=120)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(120)
    connection.sock.connect(str(socket_path))
    try:
        connection.request("POST", f"/v2/repository/models/{model}/load", body=b"{}")
        return connection.getresponse().status
    finally:
        connection.close()
