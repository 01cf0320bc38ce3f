"""Many imports at once wait for one another, so that devices are answered meanwhile; who is sent away comes again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineside.client import Client
from lineside.client.folder import upload_folder
from lineside.contract.errors import LinesideError
from lineside.server.datasets.pictures import looks as module
from lineside.server.datasets.pictures.looks import THREADS, Looks
from lineside.server.datasets.turns import Turns, spare_cores
from lineside.server.services import Core
from lineside.server.testing import Running
from tests.eventually import eventually
from tests.server.datasets.conftest import boxed, coco, listed, picture

pytestmark = pytest.mark.sqlite_only


def turns(*, at_once: int = 1, waiting: int = 1, patience: float = 60) -> Turns:
    return Turns("this", at_once=at_once, waiting=waiting, patience=patience)


def refusal(some: Turns) -> str:
    with pytest.raises(LinesideError) as caught, some.turn():
        pass
    assert (caught.value.code, caught.value.params["after"]) == ("dataset.busy", "3")
    return caught.value.message


def test_who_finds_too_many_waiting_is_sent_away_at_once() -> None:
    some, entered = turns(), threading.Event()

    def wait() -> None:
        with some.turn():
            entered.set()

    with some.turn():
        waiting = threading.Thread(target=wait)
        waiting.start()
        eventually(lambda: some._room == 0)
        assert "waited 0 s" in refusal(some)
        assert not entered.is_set()
    waiting.join()
    assert entered.is_set()
    with some.turn():
        pass


def test_who_waited_too_long_is_sent_away_and_nothing_is_kept_of_them() -> None:
    some = turns(patience=0.01)
    with some.turn():
        for _ in range(3):
            refusal(some)
    with some.turn():
        pass


def test_a_turn_that_failed_is_over() -> None:
    some = turns(waiting=0)
    for _ in range(2):
        with pytest.raises(KeyError), some.turn():
            raise KeyError


class Watched:
    """In place of decoding: how many do it at once, and all wait until told."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, data: bytes) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait()
        with self._lock:
            self.now -= 1


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    found = Watched()
    monkeypatch.setattr("lineside.server.datasets.pictures.decoding.look_at", found)
    yield found
    found.go.set()


def test_ten_imports_at_once_decode_no_more_than_one(core: Core, watched: Watched) -> None:
    digests = [core.objects.put(b"BM%d" % number) for number in range(40)]
    before = threading.active_count()
    with ThreadPoolExecutor(10) as many:
        asked = [many.submit(Looks(core.database, core.objects).of, digests[at::10]) for at in range(10)]
        eventually(lambda: watched.now == spare_cores())
        assert threading.active_count() <= before + 10 + THREADS
        watched.go.set()
        assert [one.result() for one in asked] == [{}] * 10
    assert watched.most == spare_cores()


def test_who_is_sent_away_hears_when_to_come_again(
    lineside: Running, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = turns(waiting=0)
    monkeypatch.setattr(module, "_turns", some)
    digest = lineside.core.objects.put(b"BM")
    with some.turn():
        answer = httpx.post(f"{lineside.people_url}/api/v1/datasets/looks", json={"digests": [digest]})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
        assert answer.json()["error"]["code"] == "dataset.busy"
        devices = httpx.get(f"{lineside.people_url}/api/v1/devices")
        assert devices.status_code == 200


def test_an_import_waits_for_its_turn_and_ends_well(
    lineside: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_bytes(coco(listed(3, split="train"), [boxed(0, 1, 2, 30, 40)]))
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    some, slept = turns(waiting=0), list[float]()
    for place in (module, __import__("lineside.server.datasets.service", fromlist=["_turns"])):
        monkeypatch.setattr(place, "_turns", some if place is module else turns())
    held = some.turn()
    held.__enter__()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            held.__exit__(None, None, None)

    monkeypatch.setattr("lineside.client.folder.time.sleep", sleep)
    told: list[str] = []
    with_client(lineside, lambda client: upload_folder(client, tmp_path, "busy", lambda *now: told.append(now[2])))
    assert len(slept) == 2
    assert all(1.5 <= seconds <= 3 for seconds in slept)
    assert told[-1] == "importing"


def with_client(lineside: Running, act: Callable[[Client], Any]) -> None:
    client = Client(lineside.people_url)
    try:
        assert act(client).version.images == 3
    finally:
        client.close()
