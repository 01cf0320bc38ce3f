"""The webhook sink against a real server: signed batches over checked TLS, to one place and nowhere else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.result import Fired, Result, RuleEvent
from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, is_signed, secret_text
from lineside.runtime.delivery import Delivery
from lineside.runtime.sinks import Refused, outlet, webhook
from lineside.runtime.sinks.settings import WebhookSinkSettings
from lineside.runtime.sinks.webhook import WebhookSink
from lineside.runtime.spool import Entry, Spool
from tests.eventually import eventually
from tests.runtime.sinks.broker import Authority
from tests.runtime.sinks.receiver import Receiver
from tests.runtime.test_delivery import result

FIRED = Fired(name="scratched", action="reject", why="1 of scratch.", deadline_ms=50.0, late=True)


def entries(*numbers: int, fired: tuple[int, ...] = ()) -> list[Entry]:
    made = [msgspec.structs.replace(result(n), events=(FIRED,) if n in fired else ()) for n in numbers]
    return [Entry(each.sequence, msgspec.json.encode(each)) for each in made]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def sink_to(receiver: Receiver, work: Path = Path(), **more: Any) -> WebhookSink:
    return WebhookSink(WebhookSinkSettings(url=receiver.url, **more), "cam-1", work)


def test_a_batch_is_one_signed_request(receiver: Receiver) -> None:
    key = secrets.token_bytes(32)
    sink = sink_to(receiver, secret=secret_text(key))
    sink.send(entries(4, 5, 6, fired=(5,)))
    (post,) = receiver.posts
    assert post.path == "/told?line=3"
    assert post.headers["content-type"] == "application/json"
    assert post.headers[ID] == "cam-1-4-6"
    assert is_signed(key, post.headers[ID], int(post.headers[TIMESTAMP]), post.body, post.headers[SIGNATURE])
    assert abs(int(post.headers[TIMESTAMP]) - time.time()) < 300
    assert (post.said["schema"], post.said["device"]) == ("lineside.results/1", "cam-1")
    results = msgspec.convert(post.said["results"], list[Result])
    assert [each.sequence for each in results] == [4, 5, 6]
    (event,) = msgspec.convert(post.said["events"], list[RuleEvent])
    assert (event.sequence, event.name, event.action, event.late) == (5, "scratched", "reject", True)
    assert sink.settled() == [4, 5, 6]
    sink.close(0)


def test_one_connection_is_kept_and_a_closed_one_is_opened_again_at_once(receiver: Receiver) -> None:
    sink = sink_to(receiver)
    for number in range(1, 4):
        sink.send(entries(number))
    assert receiver.connections == 1
    receiver.before_answer = lambda handler: setattr(handler, "close_connection", True)
    sink.send(entries(4))  # the receiver hangs up after its answer, without a word
    receiver.before_answer = lambda handler: None
    sink.send(entries(5))
    assert [post.sequences for post in receiver.posts] == [[1], [2], [3], [4], [5]]
    assert sink.settled() == [1, 2, 3, 4, 5]
    sink.close(0)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_another_answer_than_2xx_is_a_failure_with_its_words(receiver: Receiver, status: int) -> None:
    sink = sink_to(receiver)
    receiver.answers = [status]
    with pytest.raises(OSError, match=f"answers {status} words of the receiver"):
        sink.send(entries(1))
    assert sink.settled() == []
    sink.send(entries(1))
    assert receiver.posts[0].headers[ID] == receiver.posts[1].headers[ID]
    assert sink.settled() == [1]
    sink.close(0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_is_sent_to_where_an_answer_points(receiver: Receiver, status: int) -> None:
    elsewhere = Receiver()
    receiver.answers, receiver.location = [status], elsewhere.url
    sink = sink_to(receiver)
    with pytest.raises(OSError, match=f"answers {status}: results are not sent elsewhere"):
        sink.send(entries(1))
    assert (elsewhere.posts, sink.settled()) == ([], [])
    sink.close(0)
    elsewhere.close()


def test_a_batch_that_is_too_large_is_halved_and_grows_again(receiver: Receiver) -> None:
    sink = sink_to(receiver, batch=8)
    receiver.answers = [413, 413]
    sink.send(entries(*range(1, 9)))
    assert [len(post.sequences) for post in receiver.posts] == [8, 4, 2, 2, 2, 2]
    assert (sink.room(), sink.settled(), sink.refused()) == (2, list(range(1, 9)), [])
    for number in range(9, 9 + 2 * webhook._GROWS_AFTER):
        sink.send(entries(number))
    assert sink.room() == 8  # and no more than was asked for
    for number in range(100, 100 + webhook._GROWS_AFTER):
        sink.send(entries(number))
    assert sink.room() == 8
    sink.close(0)


def test_a_single_result_that_is_too_large_is_set_aside_and_the_next_ones_go_on(receiver: Receiver) -> None:
    sink = sink_to(receiver, batch=2)
    receiver.answers = [413, 413, 204]
    sink.send(entries(1, 2))
    assert [post.sequences for post in receiver.posts] == [[1, 2], [1], [2]]
    assert sink.refused() == [Refused(1, f"127.0.0.1:{receiver.port} answers 413 words of the receiver")]
    assert (sink.settled(), sink.refused()) == ([2], [])
    sink.close(0)


def test_who_says_too_large_and_hangs_up_before_it_has_read_all_is_heard(receiver: Receiver) -> None:
    many = [(n, msgspec.json.encode(msgspec.structs.replace(result(n), source="x" * 4_000_000))) for n in (1, 2, 3, 4)]
    receiver.most = 9_000_000
    sink = sink_to(receiver, batch=4)
    sink.send(entries(0))
    sink.send([Entry(*one) for one in many])
    assert [post.sequences for post in receiver.posts] == [[0], [1, 2], [3, 4]]
    assert (sink.room(), sink.settled()) == (2, [0, 1, 2, 3, 4])
    sink.close(0)


def test_what_was_taken_or_refused_before_a_failure_is_not_sent_again(receiver: Receiver) -> None:
    sink = sink_to(receiver, batch=3)
    receiver.answers = [413, 204, 413, 503]
    with pytest.raises(OSError, match="503"):
        sink.send(entries(1, 2, 3))
    assert (sink.settled(), sink.refused()) == ([], [])  # it has taken nothing yet, for who counts
    sink.send(entries(1, 2, 3))
    assert [post.sequences for post in receiver.posts] == [[1, 2, 3], [1], [2], [3], [3]]
    assert (sink.settled(), [each.sequence for each in sink.refused()]) == ([1, 3], [2])
    sink.close(0)


def test_through_delivery_a_result_that_is_too_large_holds_nothing_up(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [413] * 4  # of 8, of 4, of 2, of the first alone
    spool = Spool(tmp_path / "spool.db")
    spool.append(entries(*range(1, 9)))
    delivery = Delivery(spool, None)
    delivery.start({"webhook": sink_to(receiver, batch=8)})
    eventually(lambda: delivery.sinks()["webhook"].delivered == 7)
    delivery.stop()
    state = delivery.sinks()["webhook"]
    assert (state.refused, state.failures, state.trouble) == (1, 0, "")
    assert state.refusal == f"number 1: 127.0.0.1:{receiver.port} answers 413 words of the receiver"
    assert spool.cursor("webhook") == 8
    spool.close()


def test_only_results_with_events_are_sent_where_that_is_wanted(receiver: Receiver) -> None:
    sink = sink_to(receiver, only_events=True)
    sink.send(entries(1, 2))
    sink.send(entries(3, 4, 5, fired=(4,)))
    assert [post.sequences for post in receiver.posts] == [[4]]
    assert sink.settled() == [1, 2, 3, 4, 5]
    sink.close(0)


def test_a_receiver_that_answers_a_byte_at_a_time_is_given_up(receiver: Receiver) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(1000):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.01)

    receiver.before_answer = trickle
    sink = sink_to(receiver, seconds=0.3)
    with pytest.raises(OSError, match=r"does not answer|no HTTP"):
        sink.send(entries(1))
    assert sink.settled() == []
    sink.close(0)


def test_a_line_that_is_hung_up_on_stays_encrypted(tmp_path: Path) -> None:
    """Whoever is sending at that instant must not go on in plain text."""
    authority = Authority(tmp_path)
    receiver = Receiver(authority.issue("receiver"))
    sink = sink_to(receiver, tmp_path, ca=authority.certificate.name)
    sink.send(entries(1))
    assert sink._connection
    line = sink._connection.sock
    sink._hang_up(line)
    assert line.version() is not None  # of TLS; None once the encryption is taken off
    with pytest.raises(OSError, match=r".+"):
        line.sendall(b"results")
    sink.close(0)
    receiver.close()


def test_the_certificate_is_checked(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    receiver = Receiver(authority.issue("receiver"))
    for ca in ("", str(other.certificate)):
        sink = sink_to(receiver, ca=ca)
        with pytest.raises(OSError, match=r"(?i)certificate verify failed"):
            sink.send(entries(1))
        sink.close(0)
    assert receiver.posts == []
    sink = sink_to(receiver, tmp_path, ca=authority.certificate.name)
    sink.send(entries(1))
    assert receiver.posts[0].sequences == [1]
    sink.close(0)
    receiver.close()


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("url", {"url": "ftp://a/b"}),
        ("url", {"url": "http://example.com/told"}),
        ("url", {"url": "https://user:word@example.com/"}),
        ("url", {"url": "https://"}),
        ("url", {"url": "https://a:99999/"}),
        ("secret", {"secret": "whsec_no base64!"}),
        ("secret_file", {"secret_file": "absent"}),
        ("secret_file", {"secret_file": "empty"}),
        ("secret_file", {"secret": "whsec_aaaa", "secret_file": "empty"}),
        ("ca", {"ca": "absent.pem"}),
        ("batch", {"batch": 0}),
        ("seconds", {"seconds": 0.0}),
    ],
)
def test_what_cannot_work_is_refused_with_the_key(tmp_path: Path, key: str, settings: dict[str, Any]) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(LinesideError) as caught:
        WebhookSink(WebhookSinkSettings(**{"url": "https://a/", **settings}), "cam-1", tmp_path)
    assert caught.value.code == "sink.invalid"
    assert f"webhook cannot be used: {key} is wrong" in caught.value.message


def test_a_secret_in_a_file(tmp_path: Path, receiver: Receiver) -> None:
    key = secrets.token_bytes(16)
    (tmp_path / "secret").write_text(secret_text(key) + "\n")
    sink = sink_to(receiver, tmp_path, secret_file="secret")
    sink.send(entries(1))
    headers = receiver.posts[0].headers
    assert is_signed(key, headers[ID], int(headers[TIMESTAMP]), receiver.posts[0].body, headers[SIGNATURE])
    sink.close(0)


def test_through_delivery_every_result_arrives_though_the_receiver_fails_now_and_then(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "_FIRST_WAIT", 0.01)
    receiver.answers = [500, 204, 503, 429]
    spool = Spool(tmp_path / "spool.db")
    delivery = Delivery(spool, None)
    delivery.start({"webhook": sink_to(receiver, batch=40)})
    for _ in range(200):
        delivery.decided(None, result, None)
    eventually(lambda: delivery.counts.published == 200)
    delivery.stop()
    spool.close()
    taken: dict[int, int] = {}
    for post in receiver.posts:
        for sequence in post.sequences:
            taken[sequence] = taken.get(sequence, 0) + 1
    assert sorted(taken) == list(range(1, 201))
    assert max(taken.values()) <= 4
