"""What other programs may send: everything that is not a request is refused, and nothing ends the server."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.runtime.api.api import SOCKET, Api, unasked
from lineside.runtime.api.messages import HEADER_LENGTH
from lineside.runtime.api.server import Limits
from lineside.runtime.api.settings import ApiSettings
from lineside.runtime.models.library import Library
from tests.eventually import PATIENCE, eventually
from tests.runtime.any_size import CUT, bright_at_any_size
from tests.runtime.api.conftest import House, opened
from tests.runtime.conftest import SIDE, encoded, squares, write_model

_SMALL = Limits(body=100_000, bodies=250_000, connections=8, seconds=5.0, idle=5.0)
_INFER = "/v2/models/bright/infer"
_TENSOR = np.zeros((1, 3, SIDE, SIDE), np.float32).tobytes()


@pytest.fixture(scope="module")
def small(bright_folder: Path) -> Iterator[House]:
    models = Library(threads=1)
    models.load("bright", bright_folder)
    house = opened(models, _SMALL)
    yield house
    house.server.stop()
    models.close()


def post(
    house: House, body: bytes | list[bytes], headers: dict[str, str] | None = None, path: str = _INFER
) -> tuple[int, dict[str, object]]:
    """Status and answer, as soon as connections of a moment ago are no longer counted."""

    def asked() -> tuple[int, dict[str, object]] | None:
        caller = http.client.HTTPConnection("127.0.0.1", house.port, timeout=PATIENCE)
        try:
            caller.request("POST", path, body, headers or {})
            answer = caller.getresponse()
            found = answer.read()
        except (BrokenPipeError, ConnectionResetError):
            return None
        finally:
            caller.close()
        turned_away = answer.status == 503 and not found
        return None if turned_away else (answer.status, json.loads(found or b"{}"))

    return eventually(asked)


def raw(house: House, sent: bytes) -> bytes:
    """Everything that is answered to some bytes."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=PATIENCE) as caller:
        found = b""
        with contextlib.suppress(OSError):  # it may close before all was sent
            caller.sendall(sent)
            caller.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while piece := caller.recv(65536):
                found += piece
        return found


def asked(size: int | None = len(_TENSOR), **more: object) -> bytes:
    given = {"name": "images", "datatype": "FP32", "shape": [1, 3, SIDE, SIDE], **more}
    if size is not None:
        given["parameters"] = {"binary_data_size": size}
    return json.dumps({"inputs": [given]}).encode()


def alive(house: House) -> bool:
    """Whether it answers; not while connections of a moment ago are still counted."""
    head = asked()
    try:
        status, answer = post(house, head + _TENSOR, {HEADER_LENGTH: str(len(head))})
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and answer["model_name"] == "bright"


@pytest.mark.parametrize(
    ("head", "behind", "length", "status"),
    [
        (asked(), _TENSOR, "999999", 400),  # longer than the body
        (asked(), _TENSOR, "-1", 400),
        (asked(), _TENSOR, "1e3", 400),
        (asked(), _TENSOR, "10", 400),  # ends within the JSON
        (asked(), _TENSOR[:-4], None, 400),
        (asked(), _TENSOR + b"more", None, 400),
        (asked(len(_TENSOR) - 4), _TENSOR[:-4], None, 400),
        (asked(2**60), _TENSOR, None, 400),
        (asked(-1), _TENSOR, None, 400),
        (asked(shape=[2**40, 2**40]), _TENSOR, None, 400),
        (asked(shape=[-1, 3, SIDE, SIDE]), _TENSOR, None, 400),
        (asked(shape=[1] * 40), b"", None, 400),
        (asked(datatype="FP128"), _TENSOR, None, 400),
        (asked(datatype="UINT8"), _TENSOR, None, 400),
        (asked(None), b"", None, 400),  # no data at all
        (asked(None, data=[1, 2, 3]), b"", None, 400),
        (asked(None, data=["1"] * 12288), b"", None, 400),
        (asked(None, datatype="UINT8", shape=[2], data=[1, 256]), b"", None, 400),
        (asked(None, data="[" * 5000), b"", None, 400),
        (b"[" * 50_000, b"", None, 400),
        (b'{"inputs": []}', b"", None, 400),
        (b"\xff\xfe", b"", None, 400),
        (asked(None, parameters={"shared_memory_region": "x"}), b"", None, 400),
    ],
    ids=range(23),
)
def test_requests_that_lie_are_refused(
    small: House, head: bytes, behind: bytes, length: str | None, status: int
) -> None:
    code, answer = post(small, head + behind, {HEADER_LENGTH: length if length is not None else str(len(head))})
    assert code == status
    assert set(answer) == {"error"}
    eventually(lambda: alive(small))


@pytest.mark.parametrize(
    ("shape", "status"),
    [
        ((1, 3, 96, 128), 200),
        ((1, 3, 32, 64), 200),
        ((1, 3, 128, 96), 400),
        ((1, 3, 0, 0), 400),
        ((2, 3, 96, 128), 400),
    ],
)
def test_a_tensor_is_no_larger_than_what_pictures_are_made_into(
    tmp_path: Path, shape: tuple[int, ...], status: int
) -> None:
    """Its memory would stay taken, however few ask."""
    models = Library(threads=1)
    models.load("bright", write_model(tmp_path / "model", CUT, bright_at_any_size()))
    house = opened(models)
    sent = np.zeros(shape, np.float32).tobytes()
    head = asked(len(sent), shape=shape)
    code, answer = post(house, head + sent, {HEADER_LENGTH: str(len(head))})
    house.server.stop()
    models.close()
    assert code == status
    assert ("at most [1, 3, 96, 128]" in answer.get("error", "")) == (status == 400)


def test_an_output_is_asked_for_once(small: House) -> None:
    """As often as it fits into a request, it would take all memory there is."""
    twice = json.loads(asked()) | {"outputs": [{"name": "output"}] * 2}
    head = json.dumps(twice).encode()
    code, answer = post(small, head + _TENSOR, {HEADER_LENGTH: str(len(head))})
    assert (code, answer) == (400, {"error": "an inference output of model 'bright' is asked for twice"})


def test_what_is_too_large_is_refused_before_it_is_read_and_after_it_is_unpacked(small: House) -> None:
    assert post(small, bytes(100_001))[0] == 413
    assert post(small, [bytes(60_000), bytes(60_000)])[0] == 413  # in chunks, so that no length is told
    bomb = zlib.compress(bytes(10_000_000))
    assert post(small, bomb, {"Content-Encoding": "deflate"})[0] == 413
    assert post(small, b"no gzip", {"Content-Encoding": "gzip"})[0] == 400
    assert post(small, zlib.compress(asked())[:-3], {"Content-Encoding": "deflate"})[0] == 400
    assert post(small, b"", {"Content-Encoding": "br"})[0] == 415
    eventually(lambda: alive(small))


def test_web_pages_and_other_names_of_this_machine_may_not_ask(small: House) -> None:
    """A page in a browser on the device could reach the port by a name of its own, or by a form."""
    assert post(small, asked(), {"Host": f"evil.example:{small.port}"})[0] == 403
    assert post(small, asked(), {"Origin": "https://evil.example"})[0] == 403
    assert post(small, b"{}", {"Host": f"localhost:{small.port}"}, "/v2/repository/index")[0] == 200


def test_it_never_listens_wider_than_this_machine(tmp_path: Path, models: Library) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.4", "example.com", ""):
        with pytest.raises(LinesideError, match=r"api\.not_loopback"):
            Api(ApiSettings(host=host, port=8000), models, tmp_path, unasked)
    with pytest.raises(LinesideError, match=r"api\.port_invalid"):
        Api(ApiSettings(port=65536), models, tmp_path, unasked)


def test_a_unix_socket_is_there_without_a_port(tmp_path: Path, models: Library) -> None:
    """Only this user and group may connect; it is gone once the line stops, and a stale one is replaced."""
    (tmp_path / SOCKET).touch()
    api = Api(ApiSettings(), models, tmp_path, unasked)
    api.start()
    try:
        assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o660
        caller = http.client.HTTPConnection("anything")
        caller.sock = socket.socket(socket.AF_UNIX)
        caller.sock.connect(str(tmp_path / SOCKET))
        picture = encoded(squares((8, 16)))
        given = {
            "name": "image",
            "datatype": "BYTES",
            "shape": [1],
            "parameters": {"binary_data_size": len(picture) + 4},
        }
        head = json.dumps({"inputs": [given]}).encode()
        size = len(picture).to_bytes(4, "little")
        caller.request("POST", _INFER, head + size + picture, {HEADER_LENGTH: str(len(head))})
        outputs = json.loads(caller.getresponse().read())["outputs"]
        assert outputs[1]["data"] == [8.0, 16.0, 8.0, 8.0]
        caller.close()
    finally:
        api.stop()
    assert not (tmp_path / SOCKET).exists()


def test_a_port_that_is_taken_stops_no_decision(
    tmp_path: Path, models: Library, small: House, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(ApiSettings(socket=False, port=small.port), models, tmp_path, unasked)
    api.start()
    api.stop()
    assert "api.unusable" in capsys.readouterr().out


def test_a_caller_for_whom_there_is_no_thread_is_turned_away_and_the_next_are_served(
    small: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    eventually(lambda: alive(small))

    class Unstartable(Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("lineside.runtime.api.server.Thread", Unstartable)
        for _ in range(_SMALL.connections + 1):
            assert b" 503 " in raw(small, b"")
    eventually(lambda: alive(small))


def test_too_many_connections_are_turned_away_and_there_is_room_again(small: House) -> None:
    held = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(_SMALL.connections)]
    eventually(lambda: b"503" in raw(small, b""))
    for one in held:
        one.close()
    eventually(lambda: b" 200 " in raw(small, b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n"))


def test_bodies_together_are_bounded(small: House) -> None:
    """Each of three would be taken alone."""
    head = f"POST {_INFER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(2)]
    for one in held:
        one.sendall(head + bytes(98_000))
    eventually(lambda: b" 503 " in raw(small, head + bytes(99_000)))
    for one in held:
        one.close()
    eventually(lambda: alive(small))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sent=st.binary(max_size=400)
    | st.text(max_size=200).map(lambda text: f"POST /v2/{text}\r\n\r\n".encode("utf-8", "replace"))
)
@example(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
@example(b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
@example(b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n")
@example(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
@example(b"GET /v2/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n")
@example(b"GET /v2/models/%00%ff/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
def test_bytes_that_are_no_http_do_no_harm(small: House, sent: bytes) -> None:
    answer = raw(small, sent)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4", b"HTTP/1.1 503"))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_INPUT = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["images", "image", "x"]) | _ANYTHING,
        "datatype": st.sampled_from(["FP32", "BYTES", "UINT8", "BOOL", "INT64", "FP16"]) | _ANYTHING,
        "shape": st.lists(st.integers(-1, 4), max_size=4) | st.just([1, 3, SIDE, SIDE]) | _ANYTHING,
    },
    optional={
        "data": _ANYTHING,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 40) | _ANYTHING}),
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.fixed_dictionaries(
        {"inputs": st.lists(_INPUT, max_size=2) | _ANYTHING}, optional={"outputs": _ANYTHING, "parameters": _ANYTHING}
    ),
    behind=st.binary(max_size=40),
    shift=st.integers(-3, 3),
)
def test_bodies_that_are_nearly_requests_are_answered_or_refused(
    small: House, body: dict[str, object], behind: bytes, shift: int
) -> None:
    """With a length of the JSON that may be a little off."""
    head = json.dumps(body).encode()
    status, answer = post(small, head + behind, {HEADER_LENGTH: str(max(0, len(head) + shift))})
    assert status in (200, 400, 413, 422)
    assert status == 200 or isinstance(answer["error"], str)


def test_a_device_without_h11_goes_on_deciding(
    tmp_path: Path, models: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its packages may be older than a runtime that came as a component."""
    monkeypatch.setitem(sys.modules, "h11", None)
    for name in [name for name in sys.modules if name.startswith("lineside.runtime.api.")]:
        monkeypatch.delitem(sys.modules, name)
    api = Api(ApiSettings(), models, tmp_path, unasked)
    api.start()
    api.stop()
    assert "h11 is not installed" in capsys.readouterr().out
