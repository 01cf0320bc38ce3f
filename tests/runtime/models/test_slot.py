"""A slot answers whatever happens to the models behind it: every frame once, by the old model or the new one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineside.contract.errors import LinesideError
from lineside.runtime.decode import Picture
from lineside.runtime.model import Inference, Model
from lineside.runtime.models.proof import Proven, prove
from lineside.runtime.models.slot import Answer, Slot
from lineside.runtime.status import GoldenState
from tests.eventually import eventually
from tests.runtime.conftest import BRIGHT, squares
from tests.runtime.models.making import PICTURE, damaged, forgetful, versioned


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("versions")
    return {version: versioned(root / str(version), version) for version in (1, 2, 3)}


def one_thread(folder: Path) -> Proven:
    return prove(folder, threads=1)


@pytest.fixture
def slot(folders: dict[int, Path]) -> Slot:
    return Slot("line", one_thread(folders[1]), one_thread)


def kept(slot: Slot) -> Proven | None:
    return slot.kept


def speaks(answer: Answer) -> int:
    """The version that answered; what it found, how it calls that and what it is called go together."""
    (found,) = answer.published
    assert found.label == f"v{answer.model.identity.version}"
    return answer.model.identity.version


class Callers:
    """Threads that ask a slot without a pause. `answers` in order, for each."""

    def __init__(self, slot: Slot, count: int) -> None:
        self.answers: list[list[int]] = [[] for _ in range(count)]
        self.failures: list[Exception] = []
        self._slot, self._stop = slot, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(mine,)) for mine in self.answers]

    def _ask(self, mine: list[int]) -> None:
        while not self._stop.is_set():
            try:
                mine.append(speaks(self._slot.detect(PICTURE)))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.failures.append(error)

    def all_asked(self, more: int) -> bool:
        """Whether each has been answered `more` times from now on."""
        before = [len(mine) for mine in self.answers]
        return eventually(lambda: all(len(a) >= b + more for a, b in zip(self.answers, before, strict=True)))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


@contextmanager
def asking(slot: Slot, count: int = 4) -> Iterator[Callers]:
    callers = Callers(slot, count)
    callers.start()
    try:
        yield callers
    finally:
        callers.stop()


def test_every_frame_is_answered_once_by_the_old_or_the_new(slot: Slot, folders: dict[int, Path]) -> None:
    with asking(slot) as callers:
        callers.all_asked(5)
        for version in (2, 3, 1, 2):
            slot.swap(folders[version])
            callers.all_asked(2)
            slot.settle()
    assert callers.failures == []
    for mine in callers.answers:
        changes = [version for place, version in enumerate(mine) if place == 0 or mine[place - 1] != version]
        assert changes == [1, 2, 3, 1, 2]  # each caller sees them one after the other, and never an older one again


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (forgetful, "golden.mismatched"),
        (damaged, "model.digest_mismatch"),
        (lambda folder, version: folder, "model.missing"),
        (lambda folder, version: versioned(folder, version, golden=False, head="yolox"), "model.shape_unknown"),
    ],
)
def test_whatever_is_wrong_with_the_new_one_the_old_one_goes_on(
    slot: Slot, tmp_path: Path, make: object, code: str
) -> None:
    folder = make(tmp_path / "new", 2)  # type: ignore[operator]
    with asking(slot, 2) as callers:
        callers.all_asked(2)
        with pytest.raises(LinesideError) as caught:
            slot.swap(folder)
        callers.all_asked(2)
    assert caught.value.code == code
    assert callers.failures == []
    assert {version for mine in callers.answers for version in mine} == {1}
    assert slot.kept is None


def test_the_old_one_is_kept_until_the_soak_ends(slot: Slot, folders: dict[int, Path]) -> None:
    first = slot.proven
    slot.swap(folders[2])
    assert kept(slot) is first
    slot.revert()
    assert slot.proven is first
    assert kept(slot) is None
    with pytest.raises(LinesideError, match=r"model\.nothing_kept"):
        slot.revert()
    slot.swap(folders[2])
    assert slot.settle()
    assert kept(slot) is None
    assert not slot.settle()


def test_a_second_swap_within_the_soak_keeps_what_has_soaked(slot: Slot, folders: dict[int, Path]) -> None:
    first = slot.proven
    slot.swap(folders[2])
    second = slot.proven
    slot.swap(folders[3])
    assert slot.kept is first
    assert not slot.settle(second)  # the timer of the first swap comes late
    assert slot.kept is first
    assert slot.settle(slot.proven)


def test_swapping_back_to_what_is_kept_loads_nothing(slot: Slot, folders: dict[int, Path]) -> None:
    first = slot.proven
    slot.swap(folders[2])
    slot.swap(folders[1])
    assert slot.proven is first
    assert slot.kept is None


def test_a_threshold_of_the_old_model_never_cuts_what_the_new_one_finds(slot: Slot, tmp_path: Path) -> None:
    dim = Picture.of((squares((24, 40)) * 0.5).astype("uint8"))
    assert slot.detect(dim).published == ()
    slot.swap(versioned(tmp_path / "2", 2, score_threshold=0.3))
    answer = slot.detect(dim, down_to=BRIGHT.score_threshold)  # as it was worked out before the swap
    assert speaks(answer) == 2
    lower = slot.detect(dim, down_to=0.01)
    assert len(lower.inference.detections) > len(lower.published) == 1


class _Broken(Model):
    """A model that fails on its first image, as one does whose memory has run out."""

    def __init__(self, like: Model) -> None:
        self.identity, self.signature = like.identity, like.signature

    def detect_timed(self, data: bytes | Picture, *, score_threshold: float | None = None) -> Inference:
        raise LinesideError("model.run_failed", why="it is broken")


def test_a_new_model_that_fails_loses_its_place_and_the_frame_is_answered(folders: dict[int, Path]) -> None:
    def broken(folder: Path) -> Proven:
        return Proven(_Broken(one_thread(folder).model), folder, GoldenState.ABSENT, 0.0)

    slot = Slot("line", one_thread(folders[1]), broken)
    slot.swap(folders[2])
    assert speaks(slot.detect(PICTURE)) == 1
    assert slot.kept is None
    slot.swap(folders[2])
    slot.settle()
    with pytest.raises(LinesideError, match=r"model\.run_failed"):  # nobody is left to answer
        slot.detect(PICTURE)


class _Slots(RuleBasedStateMachine):
    """Any order of swaps, good and bad, settles and reverts: what answers is what the pointer's history says."""

    folders: dict[int, Path] = {}

    def __init__(self) -> None:
        super().__init__()
        self.proofs = {version: one_thread(folder) for version, folder in self.folders.items()}
        self.slot = Slot("line", self.proofs[1], self.prove)
        self.now, self.kept = 1, 0

    def prove(self, folder: Path) -> Proven:
        found = next((version for version, path in self.folders.items() if path == folder), None)
        if found is None:
            raise LinesideError("golden.mismatched", image="one.png", difference="nothing is there")
        return self.proofs[found]

    @rule(version=st.integers(1, 3))
    def swap(self, version: int) -> None:
        self.slot.swap(self.folders[version])
        self.now, self.kept = (version, 0) if version == self.kept else (version, self.kept or self.now)

    @rule()
    def swap_to_what_is_unfit(self) -> None:
        with pytest.raises(LinesideError):
            self.slot.swap(self.folders[1] / "nowhere")

    @rule()
    def settle(self) -> None:
        assert self.slot.settle() == bool(self.kept)
        self.kept = 0

    @rule()
    def revert(self) -> None:
        if self.kept:
            self.slot.revert()
            self.now, self.kept = self.kept, 0
        else:
            with pytest.raises(LinesideError):
                self.slot.revert()

    @invariant()
    def the_right_one_answers(self) -> None:
        assert speaks(self.slot.detect(PICTURE)) == self.now
        assert (self.slot.kept.model.identity.version if self.slot.kept else 0) == self.kept


def test_any_order_of_changes(folders: dict[int, Path]) -> None:
    class Machine(_Slots):
        pass

    Machine.folders = folders
    case = Machine.TestCase
    case.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
    case("runTest").runTest()
