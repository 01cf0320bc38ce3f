"""Requests: so many images until then, counted over restarts, told to the agent."""

from __future__ import annotations

import datetime
import errno
import itertools
import json
from pathlib import Path

import pytest

from lineside.contract.ids import digest_of
from lineside.runtime.captures.captures import KEPT_FILE, TAKES_REQUESTS, Captures
from lineside.runtime.captures.counts import RequestStatus
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.strategies import Seen
from tests.runtime.captures.worlds import Device, found, image
from tests.runtime.results import result

WEEKLY = {"id": "weekly", "count": 3, "strategy": "requested"}


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path, uncertain=None)


def ask(device: Device, *requests: dict[str, object], file: str = "capture-requests.json") -> None:
    (device.work / file).write_text(json.dumps(requests))
    device.wait(2)


def at(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


def test_a_request_gets_as_many_as_it_asks_for_over_restarts(device: Device) -> None:
    assert device.offer(image(0)) is None
    ask(device, WEEKLY)
    records = []
    for number in range(1, 10):
        records.append(device.offer(image(number)))
        device.restart()
    kept = [record for record in records if record]
    assert [(record.strategy, record.request) for record in kept] == [("requested", "weekly")] * 3
    assert kept[1].reason == "Request weekly: image 2 of 3."
    assert device.requests.status() == {"weekly": RequestStatus(asked=3, kept=3, state="done")}


def test_one_that_could_not_be_stored_is_asked_for_again(device: Device) -> None:
    ask(device, WEEKLY | {"count": 1})
    wanted = device.choose(image(1))
    assert wanted
    assert device.choose(image(2)) is None, "it is on its way"
    device.chooser.dropped(wanted, "disk", "It could not be written.")
    assert device.offer(image(3))
    assert device.requests.refused("weekly") == {"disk": 1}


def test_classes_components_and_time_are_minded(device: Device) -> None:
    mine = WEEKLY | {"id": "mine", "component": "tags.inference", "classes": ["dent"]}
    other = WEEKLY | {"id": "other", "component": "lids.inference"}
    late = WEEKLY | {"id": "late", "until": at(device.wall - 1)}
    ask(device, other, late, mine, {"id": "odd", "count": 1, "until": "Friday"}, file="capture-requests.local.json")
    assert device.offer(image(1), found(0.9)) is None
    record = device.offer(image(2), found(0.9, "dent"))
    assert record
    assert (record.request, record.reason) == ("mine", "Request mine: image 1 of 3 with dent.")
    status = device.requests.status()
    assert {name: one.state for name, one in status.items()} == {"late": "over", "mine": "open", "odd": "over"}
    assert status["late"].why.startswith("Its time was up at ")
    assert status["odd"].why == "'Friday' is no time."


def test_a_random_request_is_spread_over_its_time(device: Device) -> None:
    ask(device, {"id": "sample", "count": 10, "strategy": "random", "until": at(device.wall + 2 + 1000)})
    kept = []
    for number in range(1000):
        if record := device.offer(image(number)):
            assert (record.strategy, record.request) == ("random", "sample")
            kept.append(number)
        device.wait(1)
    assert len(kept) == 10
    gaps = [after - before for before, after in itertools.pairwise(kept)]
    assert min(gaps) >= 60
    assert 700 < kept[-1] < 810


def test_half_a_file_changes_nothing(device: Device) -> None:
    ask(device, WEEKLY)
    assert device.offer(image(1))
    (device.work / "capture-requests.json").write_text('[{"id": "week')
    device.wait(2)
    assert device.offer(image(2))
    ask(device)
    assert device.offer(image(3)) is None


def test_a_file_that_could_not_be_read_is_read_again(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    (device.work / "capture-requests.json").write_text(json.dumps([WEEKLY]))

    def fails(self: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", fails)
        device.wait(2)
        assert device.offer(image(1)) is None
    device.wait(2)
    assert device.offer(image(2))


def test_the_agent_is_told_how_far_each_is(tmp_path: Path) -> None:
    (tmp_path / "capture-requests.json").write_text(json.dumps([WEEKLY]))
    captures = Captures(CaptureSettings(random=0.0), tmp_path, tmp_path / "captures", {})
    assert (tmp_path / TAKES_REQUESTS).exists()
    for number in (1, 1, 2):
        seen = Seen(digest_of(image(number)), "in", (), ())
        if wanted := captures.chooser.choose(seen):
            captures.keep(image(number), wanted, result("a.jpg", 5))
    status = captures.status()
    captures.close()
    assert status.requests["weekly"] == RequestStatus(asked=3, kept=2, state="open")
    assert json.loads((tmp_path / KEPT_FILE).read_text()) == {"weekly": {"kept": 2, "refused": {"same image": 1}}}
