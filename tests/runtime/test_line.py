"""The line: what waits, what is passed over, what is late, and what a slow model holds up (itself alone)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime import decode as decoding
from lineside.runtime.captures.chooser import Chooser
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.decider import Decider
from lineside.runtime.decode import Picture, decode
from lineside.runtime.delivery import Delivery
from lineside.runtime.frames import Frame
from lineside.runtime.model import Model
from lineside.runtime.models.memory import Memory
from lineside.runtime.queues import ROOM
from lineside.runtime.rules import Rules, RuleSettings
from lineside.runtime.sources import arrivals
from lineside.runtime.sources.folder import FolderSource
from lineside.runtime.spool import Spool
from tests.eventually import PATIENCE, eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.disks import mounted
from tests.runtime.lines import Bench, Gated, Pushed

GOOD = encoded(squares((8, 8)))
PIXELS = Picture.of(squares((8, 8)))
DAMAGED = encoded(squares(), "JPEG")[:200]


@pytest.fixture
def slot(bright: Model) -> Iterator[Gated]:
    made = Gated(bright)
    yield made
    made.gate.set()


def test_of_a_live_source_the_newest_frame_wins(slot: Gated, tmp_path: Path) -> None:
    camera = Pushed("cam", live=True)
    bench = Bench(tmp_path, [(slot, [camera])])
    slot.gate.clear()
    camera.push("0", PIXELS)
    assert slot.deciding.wait(PATIENCE)
    for number in range(1, 6):
        camera.push(str(number), PIXELS)
    counts = bench.ledger.of("cam")
    assert (counts.seen, counts.waiting, counts.skipped) == (6, 2, {"superseded": 4})
    slot.gate.set()
    bench.settled()
    bench.stop()
    assert [result.image for result in bench.results()] == ["0", "5"]
    assert bench.ledger.of("cam").decided == 2


def test_of_any_other_every_frame_counts_and_waits_for_room(slot: Gated, tmp_path: Path) -> None:
    folder = Pushed("in")
    bench = Bench(tmp_path, [(slot, [folder])])
    slot.gate.clear()
    pushed: list[int] = []
    feeder = threading.Thread(
        target=lambda: [pushed.append(n) for n in range(20) if folder.push(str(n), GOOD, key=True)]
    )
    feeder.start()
    eventually(lambda: len(pushed) == ROOM + 1)  # the one that is being decided, and those that wait
    slot.gate.set()
    feeder.join(60)
    bench.settled()
    bench.stop()
    assert [result.image for result in bench.results()] == [str(n) for n in range(20)] == folder.done
    assert [result.source for result in bench.results()] == ["in"] * 20


def test_a_slow_model_holds_up_no_source_of_another(bright: Model, slot: Gated, tmp_path: Path) -> None:
    slow, fast = Pushed("slow"), Pushed("fast")
    bench = Bench(tmp_path, [(slot, [slow]), (Gated(bright), [fast])])
    slot.gate.clear()
    slow.push("s", GOOD)
    assert slot.deciding.wait(PATIENCE)
    for number in range(2 * ROOM):
        fast.push(str(number), GOOD)
    eventually(lambda: bench.ledger.of("fast").decided == 2 * ROOM)
    assert bench.ledger.of("slow").waiting == 1
    slot.gate.set()
    bench.settled()
    bench.stop()


def test_two_sources_of_one_model_are_served_in_turn(slot: Gated, tmp_path: Path) -> None:
    busy, calm = Pushed("busy"), Pushed("calm")
    bench = Bench(tmp_path, [(slot, [busy, calm])])
    slot.gate.clear()
    busy.push("0", GOOD)
    assert slot.deciding.wait(PATIENCE)
    for number in range(1, ROOM):
        busy.push(str(number), GOOD)
    calm.push("c", GOOD)
    slot.gate.set()
    bench.settled()
    bench.stop()
    assert [result.image for result in bench.results()].index("c") <= 2


def test_what_cannot_be_decided_is_counted_with_its_reason_and_told_to_who_asked(slot: Gated, tmp_path: Path) -> None:
    source = Pushed("in")
    source.again.add("half")
    bench = Bench(tmp_path, [(slot, [source])])
    heard: list[Result | LinesideError] = []
    source.push("damaged", DAMAGED, key=True, reply=heard.append)
    source.push("text", b"this is a text", key=True, reply=heard.append)
    source.push("half", DAMAGED, key=True)
    source.push("good", GOOD, key=True, reply=heard.append)
    bench.settled()
    eventually(lambda: len(heard) == 3)
    counts = bench.ledger.of("in")
    assert (counts.seen, counts.decided, counts.failed, counts.skipped) == (3, 1, 1, {"no image": 1})
    assert [one.code for one in heard if isinstance(one, LinesideError)] == ["image.unreadable", "image.unsupported"]
    (result,) = (one for one in heard if isinstance(one, Result))
    assert result.sequence == 1
    assert source.done == ["damaged", "text", "good"]  # and not the one that comes again
    eventually(lambda: {key.name for key in bench.spool.inputs()} == {"in/damaged", "in/text", "in/good"})
    bench.stop()


def test_a_decision_after_the_deadline_is_late(slot: Gated, tmp_path: Path) -> None:
    source = Pushed("in")
    bench = Bench(tmp_path, [(slot, [source])], deadline=30.0)
    source.push("late", GOOD, age=31.0)
    source.push("in time", GOOD)
    bench.settled()
    bench.stop()
    assert [(result.image, result.late) for result in bench.results()] == [("late", True), ("in time", False)]
    assert bench.ledger.of("in").late == 1


def test_rules_of_the_source_become_events(slot: Gated, tmp_path: Path) -> None:
    source, other = Pushed("in"), Pushed("other")
    rules = {"in": Rules({"scratch": RuleSettings(classes=("bright",))})}
    bench = Bench(tmp_path, [(slot, [source, other])], rules=rules)
    source.push("a", GOOD)
    source.push("b", encoded(squares()))
    other.push("c", GOOD)
    bench.settled()
    bench.stop()
    events = {result.image: [(one.name, one.action) for one in result.events] for result in bench.results()}
    assert events == {"a": [("scratch", "reject")], "b": [], "c": []}


def test_what_still_waits_at_the_end_comes_again_or_is_told(slot: Gated, tmp_path: Path) -> None:
    camera, folder, asked = Pushed("cam", live=True), Pushed("in"), Pushed("api")
    bench = Bench(tmp_path, [(slot, [camera, folder, asked])])
    slot.gate.clear()
    folder.push("deciding", GOOD, key=True)
    assert slot.deciding.wait(PATIENCE)
    heard: list[Result | LinesideError] = []
    camera.push("1", PIXELS)
    folder.push("waits", GOOD, key=True)
    asked.push("2", GOOD, reply=heard.append)
    stopping = threading.Thread(target=bench.stop)
    stopping.start()
    eventually(lambda: not folder.push("too late", GOOD, key=True))
    slot.gate.set()
    stopping.join(60)
    assert [result.image for result in bench.results()] == ["deciding"]
    (error,) = heard
    assert isinstance(error, LinesideError)
    assert error.code == "runtime.stopping"
    assert bench.ledger.of("cam").skipped == {"stopped": 1}
    assert (bench.ledger.of("in").seen, bench.ledger.of("in").decided) == (1, 1)


def test_an_image_without_memory_is_decided_once_there_is_some(
    slot: Gated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SETTLE", 0.05)
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "a.png"
    path.write_bytes(GOOD)
    os.utime(path, (1, 1))  # long done
    with monkeypatch.context() as swapping:
        swapping.setattr(decoding, "_SMALL", 0)
        swapping.setattr(decoding, "memory", lambda: Memory(2, 0, "cgroup"))
        source = FolderSource("in", folder, interval=0.01, watched=False)
        bench = Bench(tmp_path, [(slot, [source])])
        assert slot.deciding.wait(PATIENCE)
        slot.deciding.clear()
        assert slot.deciding.wait(PATIENCE)  # again
    bench.settled()
    eventually(lambda: bench.ledger.of("in").decided == 1)
    bench.stop()
    assert [result.image for result in bench.results()] == ["a.png"]
    assert bench.ledger.of("in").seen == 1


def test_of_pixels_a_still_is_captured(slot: Gated, tmp_path: Path) -> None:
    captures = CaptureFolder(tmp_path / "captures")
    spool = Spool(tmp_path / "spool.db")
    delivery = Delivery(spool, captures)
    chooser = Chooser(CaptureSettings(uncertain=None, random=1.0))
    decider = Decider(slot, "cam-1", chooser=chooser)
    delivery.start({})
    frame = Frame("cam", "cam/1", PIXELS, 0.0, 0.0)
    verdict = decider.decide(frame)
    assert not isinstance(verdict, LinesideError)
    decider.hand_over(frame, verdict, delivery)
    eventually(lambda: delivery.counts.captured == 1)
    delivery.stop()
    spool.close()
    (path,) = (tmp_path / "captures").glob("*.bin")
    assert abs(decode(path.read_bytes()).pixels.astype(int) - PIXELS.pixels).max() < 40


class _Asides(Gated):
    """Counts how often its model leaves cores to others."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.count = 0
        self.proven.model.aside = self._aside  # type: ignore[method-assign]

    def _aside(self) -> AbstractContextManager[None]:
        self.count += 1
        return nullcontext()


def test_while_frames_wait_each_is_decided_on_one_core_and_one_alone_on_all(bright: Model, tmp_path: Path) -> None:
    slot, folder = _Asides(bright), Pushed("in")
    bench = Bench(tmp_path, [(slot, [folder])], lanes=2)
    folder.push("alone", PIXELS)
    bench.settled()
    assert slot.count == 0
    slot.gate.clear()
    for number in range(2 + ROOM):  # one a lane; the others fill the queue
        folder.push(str(number), PIXELS)
    slot.gate.set()
    bench.settled()
    assert slot.count >= 1
    bench.stop()


def test_files_of_any_time_are_decided_and_remembered(slot: Gated, tmp_path: Path) -> None:
    """A clock that was never set, a file system without limits: no time of a file ends the line."""
    with mounted(tmp_path / "disk") as disk:
        for number, moment in enumerate((-(10**12), 10**12, 253_402_300_800)):
            (disk / f"{number}.png").write_bytes(GOOD)
            os.utime(disk / f"{number}.png", (moment, moment))
        bench = Bench(tmp_path, [(slot, [FolderSource("in", disk, interval=0.01)])])
        eventually(lambda: bench.ledger.of("in").decided == 3)
        bench.stop()
    assert [result.image for result in bench.results()] == ["0.png", "1.png", "2.png"]
    spool = Spool(tmp_path / "spool.db")
    assert {key.name for key in spool.inputs()} == {"0.png", "1.png", "2.png"}
    spool.close()
