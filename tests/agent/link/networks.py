"""Small real servers that stand where the control plane should be, and a proxy on the way to it."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def server(serve: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """Serves each connection in a thread of its own; its port."""
    listener = socket.create_server(("127.0.0.1", port))
    stopped = threading.Event()
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            serve(connection)

    def work() -> None:
        while not stopped.is_set():
            if select.select([listener], [], [], 0.05)[0]:
                connection, _ = listener.accept()
                connection.settimeout(5)
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopped.set()
        worker.join()
        listener.close()
        for thread in threads:
            thread.join()


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Answers whatever comes with the same bytes, without TLS."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)
        while connection.recv(4096):
            pass

    return serve


def says_over_tls(context: ssl.SSLContext, answer: bytes) -> Callable[[socket.socket], None]:
    """The same over TLS."""

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(4096)
            secured.sendall(answer)
            while secured.recv(4096):  # what is closed with something unread in it is reset, and the answer lost
                pass

    return serve


def silent(connection: socket.socket) -> None:
    """Accepts, and never says a word, until the other side goes."""
    connection.settimeout(10)
    while connection.recv(4096):
        pass


class Proxy:
    """An HTTP proxy that does CONNECT. `refusal`: the status it answers with instead; `names`: what it resolves."""

    def __init__(self, names: dict[str, int]) -> None:
        self.names = names
        self.refusal: str | None = None
        self.password: str | None = None
        self.asked: list[str] = []

    def __call__(self, connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        lines = head.decode().split("\r\n")
        target = lines[0].split()[1]
        self.asked.append(target)
        if self.password is not None:
            wanted = "Basic " + base64.b64encode(self.password.encode()).decode()
            if f"Proxy-Authorization: {wanted}" not in lines:
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
        if self.refusal is not None:
            connection.sendall(f"HTTP/1.1 {self.refusal}\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", self.names[target.partition(":")[0]])) as other:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
            _pump(connection, other)


def _pump(one: socket.socket, two: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([one, two], [], [], 10)
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (two if source is one else one).sendall(data)
