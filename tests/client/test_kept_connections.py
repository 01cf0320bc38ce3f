"""A connection that was kept and ends just as it is used again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from lineside.client.connection import Connection
from lineside.contract.errors import LinesideError
from tests.eventually import PATIENCE

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Forgetful:
    """A server that reads the second request of a connection and closes it without a word."""

    def __init__(self) -> None:
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            with caller:
                caller.recv(65536)
                self.asked += 1
                caller.sendall(_ANSWER)
                if caller.recv(65536):
                    self.asked += 1


@pytest.fixture
def forgetful() -> Iterator[Forgetful]:
    server = Forgetful()
    yield server
    server.close()


def test_a_question_is_asked_again_and_nothing_is_done_twice(forgetful: Forgetful) -> None:
    connection = Connection(forgetful.url)
    assert connection.send("GET", "/models") == b"{}"
    assert connection.send("GET", "/models") == b"{}"
    assert forgetful.asked == 3
    with pytest.raises(LinesideError, match=r"client\.unreachable"):
        connection.send("POST", "/models", data=b"{}")
    assert forgetful.asked == 4
    connection.close()
