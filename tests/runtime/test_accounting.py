"""Whatever happens in whatever order, each source has seen = decided + skipped + failed + waiting; each file is decided
once, and sequence numbers have no gap, over restarts too."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime.accounting import Ledger
from lineside.runtime.decode import Picture
from lineside.runtime.model import Model
from tests.eventually import eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.lines import Bench, Gated, Pushed

GOOD = encoded(squares((8, 8)))
DATA = {"good": GOOD, "damaged": encoded(squares(), "JPEG")[:200], "text": b"this is a text"}
PIXELS = Picture.of(squares((8, 8)))
WHAT = st.sampled_from(sorted(DATA))


class Machine(RuleBasedStateMachine):
    """One model with a folder, a camera and requests."""

    bright: Model

    def __init__(self) -> None:
        super().__init__()
        self._room = tempfile.TemporaryDirectory()
        self.work = Path(self._room.name)
        self.files: dict[str, str] = {}
        self.decided = self.asked = self.number = 0
        self.answers: list[Result | LinesideError] = []
        self.begin()

    def begin(self) -> None:
        self.slot = Gated(self.bright)
        self.folder, self.camera, self.api = Pushed("in"), Pushed("cam", live=True), Pushed("api")
        self.bench = Bench(self.work, [(self.slot, [self.folder, self.camera, self.api])], lanes=2)
        remembered = {key.name.removeprefix("in/") for key in self.bench.spool.inputs()}
        for name, what in self.files.items():
            if name not in remembered:
                self.put(name, what)

    def put(self, name: str, what: str) -> None:
        if self.bench.ledger.of("in").waiting >= 4:
            self.slot.gate.set()  # there is no room: it would wait
        assert self.folder.push(name, DATA[what], key=True)

    @rule(what=WHAT)
    def a_file_comes(self, what: str) -> None:
        self.number += 1
        name = f"{self.number}"
        self.files[name] = what
        self.put(name, what)

    @rule(count=st.integers(1, 6))
    def the_camera_sends(self, count: int) -> None:
        for _ in range(count):
            assert self.camera.push("frame", PIXELS)

    @rule()
    def the_camera_is_frozen(self) -> None:
        assert self.camera.intake
        self.camera.intake.skip("frozen")

    @rule(what=WHAT)
    def somebody_asks(self, what: str) -> None:
        if self.bench.ledger.of("api").waiting >= 4:
            self.slot.gate.set()
        self.asked += 1
        assert self.api.push("asked", DATA[what], reply=self.answers.append)

    @rule()
    def the_model_is_slow(self) -> None:
        self.slot.gate.clear()

    @rule()
    def the_model_is_fast_again(self) -> None:
        self.slot.gate.set()

    @rule()
    def all_is_done(self) -> None:
        self.slot.gate.set()
        self.bench.settled()
        for source in self.bench.sources:
            counts = self.bench.ledger.of(source.name)
            assert counts.seen == counts.decided + counts.skips + counts.failed

    @rule()
    def it_is_started_again(self) -> None:
        self.slot.gate.set()
        self.bench.stop()
        self.decided += sum(self.bench.ledger.of(source.name).decided for source in self.bench.sources)
        self.begin()

    @invariant()
    def the_sum_holds(self) -> None:
        for source in self.bench.sources:
            counts = self.bench.ledger.of(source.name)
            assert counts.seen == counts.decided + counts.skips + counts.failed + counts.waiting
            assert min(counts.seen, counts.decided, counts.failed, counts.waiting) >= 0
        assert self.bench.ledger.of("cam").waiting <= 3  # one waits, two are being decided

    def teardown(self) -> None:
        self.slot.gate.set()
        self.bench.settled()
        eventually(lambda: len(self.answers) == self.asked)
        self.bench.stop()
        self.decided += sum(self.bench.ledger.of(source.name).decided for source in self.bench.sources)
        results = self.bench.results()
        assert [result.sequence for result in results] == list(range(1, self.decided + 1))
        images = [result.image for result in results if result.source == "in"]
        assert sorted(images) == sorted(name for name, what in self.files.items() if what == "good")
        self._room.cleanup()


def test_the_sum_holds_whatever_happens(bright: Model) -> None:
    Machine.bright = bright
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    chosen = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=health)
    run_state_machine_as_test(Machine, settings=chosen)


def test_a_ledger_gives_copies() -> None:
    ledger = Ledger(["a"])
    ledger.arrived("a")
    before = ledger.of("a")
    ledger.skipped("a", "superseded")
    assert (before.waiting, before.skipped) == (1, {})
    assert ledger.of("a").skipped == {"superseded": 1}
    with pytest.raises(KeyError):
        ledger.arrived("b")
