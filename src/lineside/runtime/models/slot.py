"""A slot: what a route names. It always answers; which model does is one pointer, moved between two frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from lineside.contract.errors import LinesideError
from lineside.contract.result import Detection
from lineside.runtime.announce import announce
from lineside.runtime.decode import Picture
from lineside.runtime.model import Inference, Model, described
from lineside.runtime.models.proof import Proven


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model found on one image, and which model that was."""

    inference: Inference
    model: Model

    @property
    def published(self) -> tuple[Detection, ...]:
        """What counts as a decision: from the threshold of the model that decided on."""
        threshold = self.model.signature.score_threshold
        return tuple(one for one in self.inference.detections if one.confidence >= threshold)


class _Standing(NamedTuple):
    """Who answers, and who would again. Never changed: another takes its place."""

    now: Proven
    kept: Proven | None = None


class Slot:
    """`detect` may be called from any thread while another swaps: each call is answered by one model, old or new.

    `prove` loads a folder's model, or raises: whatever is wrong with the new one, the old one goes on.
    """

    def __init__(self, name: str, first: Proven, prove: Callable[[Path], Proven]) -> None:
        self.name = name
        self.gave_up: LinesideError | None = None
        """Why a new model lost its place to the one before, when the last one did."""
        self._standing = _Standing(first)
        self._prove = prove
        self._changing = Lock()  # one swap at a time, however long it takes
        self._pointer = Lock()  # while `_standing` is replaced; `detect` waits for neither

    @property
    def model(self) -> Model:
        """The model that answers now."""
        return self._standing.now.model

    @property
    def proven(self) -> Proven:
        """The model that answers now, with how it came to."""
        return self._standing.now

    @property
    def kept(self) -> Proven | None:
        """The model before, until the soak of the one that answers is over."""
        return self._standing.kept

    def detect(self, data: bytes | Picture, down_to: float | None = None) -> Answer:
        """What the model that answers now finds: down to its own threshold, or to `down_to` where that is lower.

        Raises what `Model.detect` raises. A model that fails on an image while the one before is still kept loses its
        place to that one, which answers for this image, too.
        """
        standing = self._standing
        try:
            return _answer(standing.now.model, data, down_to)
        except LinesideError as error:
            if error.code != "model.run_failed" or standing.kept is None:
                raise
            self._give_up(standing, error)
            return _answer(standing.kept.model, data, down_to)

    def swap(self, folder: Path) -> None:
        """Has another model answer from the next frame on: loaded, warmed up and proven beside the one that goes on
        deciding meanwhile. That one is kept until `settle`. A folder whose model is the kept one puts it back at once.

        Raises what `prove` raises; then nothing has changed.
        """
        with self._changing:
            kept = self._standing.kept
            back = kept if kept is not None and _holds(kept, folder) else None
            if back is not None and back.folder != folder:
                back = replace(back, folder=folder)
            new = back or self._prove(folder)
            with self._pointer:
                before = self._standing  # the one that decided may have lost its place meanwhile
                self._standing = _Standing(new, None if back else before.kept or before.now)
                self.gave_up = None
            self._tell("model.swapped", before.now)

    def settle(self, soaked: Proven | None = None) -> bool:
        """The soak is over: the model before is let go, unless another than `soaked` answers by now. Whether it was."""
        with self._changing, self._pointer:
            now, kept = self._standing
            if kept is None or soaked not in (None, now):
                return False
            self._standing = _Standing(now)
            return True

    def revert(self) -> None:
        """Puts the model before back, at once. Raises `model.nothing_kept` when none is."""
        with self._changing, self._pointer:
            before = self._standing
            if before.kept is None:
                raise LinesideError("model.nothing_kept", name=self.name)
            self._standing = _Standing(before.kept)
        self._tell("model.reverted", before.now)

    def _give_up(self, standing: _Standing, error: LinesideError) -> None:
        """From a deciding thread, which waits for no swap; unless somebody else has replaced that model already."""
        with self._pointer:
            if self._standing is not standing or standing.kept is None:
                return
            self._standing = _Standing(standing.kept)
            self.gave_up = error
        self._tell("model.reverted", standing.now, code=error.code, why=error.message)

    def _tell(self, event: str, before: Proven, **facts: str) -> None:
        now, was = self.model.identity, before.model.identity
        announce(
            event, slot=self.name, model=now.name, version=now.version, digest=now.digest, before=was.version, **facts
        )


def _answer(model: Model, data: bytes | Picture, down_to: float | None) -> Answer:
    own = model.signature.score_threshold
    threshold = own if down_to is None else min(own, down_to)
    return Answer(model.detect_timed(data, score_threshold=threshold), model)


def _holds(kept: Proven, folder: Path) -> bool:
    """Whether a folder's model is that one, file and signature."""
    try:
        return described(folder) == (kept.model.identity, kept.model.signature)
    except LinesideError:
        return False  # whoever loads it will say what is wrong with it
