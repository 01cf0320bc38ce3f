"""One try to hand a message over: it ends, whatever the receiver does, and kept connections are used again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from lineside.server.webhooks import sending
from lineside.server.webhooks.sending import Answer
from tests.server.webhooks.receiver import Receiver

KEY = b"k" * 32


@pytest.fixture(params=["http", "https"])
def slow(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a receiver that answers a byte now and then, for ever: in a header, or in its first TLS record."""
    begins = {"http": b"HTTP/1.1 200 OK\r\nX: ", "https": b"\x16\x03\x03\x40\x00"}[request.param]
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        line, _ = listener.accept()
        with line:
            try:
                line.sendall(begins)
                while not over.wait(0.05):
                    line.sendall(b"x")
            except OSError:
                pass

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"{request.param}://127.0.0.1:{listener.getsockname()[1]}/told"
    over.set()
    thread.join()
    listener.close()


def test_a_receiver_that_never_comes_to_an_end_is_hung_up_on(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LONGEST_TRY", 0.4)
    answer = sending.send(sending.pool(), slow, KEY, "msg_1", b"{}", 0)
    assert answer == Answer(False, "no answer: it was not over after 0.4 s")


def test_messages_after_one_another_share_a_connection_and_each_has_its_own_time() -> None:
    receiver = Receiver()
    receiver.key = KEY
    pool = sending.pool()
    try:
        said = [sending.send(pool, receiver.url, KEY, f"msg_{n}", b'{"type": "a"}', 0) for n in range(3)]
    finally:
        receiver.kill()
    assert said == [Answer(True, "204")] * 3
    assert [id_ for id_, _, good in receiver.heard if good] == ["msg_0", "msg_1", "msg_2"]
