"""The control plane as the pipeline sees it: the operations it uses, and the patience it needs.

`lineside.client.Client` is the real one; `lineside.pipeline.testing.MemoryControl` is the fake shipped beside it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from lineside.contract.dataset import DatasetVersion, ImagePage
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.model import ModelVersion, RegisterModel
from lineside.contract.run import CachedStep, Run, RunFinish, StepReport
from lineside.contract.worker import Beat, BeatAnswer, Claim, Kept, Leave, LogReport

T = TypeVar("T")

_FIRST_PAUSE = 0.2  # seconds
_LONGEST_PAUSE = 5.0
_logger = logging.getLogger(__name__)


class Control(Protocol):
    """Operations of people's API that a worker uses; see `lineside.client.Client` for what each does."""

    def blobs_missing(self, digests: list[str]) -> list[str]: ...
    def put_blob_file(self, file: Path, digest: str) -> str: ...
    def fetch_blob(self, digest: str, target: Path) -> Path: ...
    def dataset(self, dataset: str) -> DatasetVersion: ...
    def dataset_images(
        self, dataset: str, *, split: str | None = None, offset: int = 0, limit: int = 500
    ) -> ImagePage: ...
    def run(self, run: str) -> Run: ...
    def claim_run(self, claim: Claim) -> Run | None: ...
    def beat(self, beat: Beat) -> BeatAnswer: ...
    def report_step(self, run: str, report: StepReport) -> None: ...
    def add_log(self, run: str, said: LogReport) -> None: ...
    def leave(self, leave: Leave) -> None: ...
    def keep_file(self, run: str, name: str, file: Path, digest: str) -> Kept: ...
    def kept_files(self, run: str) -> list[Kept]: ...
    def fetch_kept(self, run: str, name: str, target: Path) -> Path: ...
    def finish_run(self, run: str, finish: RunFinish) -> Run: ...
    def cached_step(self, key: str) -> CachedStep | None: ...
    def cache_step(self, step: CachedStep) -> None: ...
    def register_model(self, model: RegisterModel) -> ModelVersion: ...
    def find_model(self, reference: str) -> ModelVersion: ...


LOST = "run.lease_lost"
"""The error that says: another attempt has begun, or the run has ended; nothing is left to do here."""


def is_away(error: LinesideError) -> bool:
    """Whether nobody answered, so that asking again later is right. Every operation of `Control` may be repeated."""
    return error.kind in (Kind.UNAVAILABLE, Kind.TOO_MANY)


class PatientControl:
    """The same operations, each asked again with growing pauses until the control plane answers.

    A control plane that is being restarted for minutes is no reason to fail a run. Errors it does answer are raised.
    """

    def __init__(self, control: Control, pause: Callable[[float], None] = time.sleep) -> None:
        self.impatient = control
        self._pause = pause

    def _answered(self, ask: Callable[[], T]) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                return ask()
            except LinesideError as error:
                if not is_away(error):
                    raise
                if pause == _FIRST_PAUSE:
                    _logger.warning("%s Asking again until one does.", error.message)
            self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def blobs_missing(self, digests: list[str]) -> list[str]:
        return self._answered(lambda: self.impatient.blobs_missing(digests))

    def put_blob_file(self, file: Path, digest: str) -> str:
        return self._answered(lambda: self.impatient.put_blob_file(file, digest))

    def fetch_blob(self, digest: str, target: Path) -> Path:
        return self._answered(lambda: self.impatient.fetch_blob(digest, target))

    def dataset(self, dataset: str) -> DatasetVersion:
        return self._answered(lambda: self.impatient.dataset(dataset))

    def dataset_images(self, dataset: str, *, split: str | None = None, offset: int = 0, limit: int = 500) -> ImagePage:
        return self._answered(lambda: self.impatient.dataset_images(dataset, split=split, offset=offset, limit=limit))

    def run(self, run: str) -> Run:
        return self._answered(lambda: self.impatient.run(run))

    def claim_run(self, claim: Claim) -> Run | None:
        return self._answered(lambda: self.impatient.claim_run(claim))

    def beat(self, beat: Beat) -> BeatAnswer:
        return self._answered(lambda: self.impatient.beat(beat))

    def add_log(self, run: str, said: LogReport) -> None:
        self._answered(lambda: self.impatient.add_log(run, said))

    def leave(self, leave: Leave) -> None:
        self._answered(lambda: self.impatient.leave(leave))

    def keep_file(self, run: str, name: str, file: Path, digest: str) -> Kept:
        return self._answered(lambda: self.impatient.keep_file(run, name, file, digest))

    def kept_files(self, run: str) -> list[Kept]:
        return self._answered(lambda: self.impatient.kept_files(run))

    def fetch_kept(self, run: str, name: str, target: Path) -> Path:
        return self._answered(lambda: self.impatient.fetch_kept(run, name, target))

    def report_step(self, run: str, report: StepReport) -> None:
        self._answered(lambda: self.impatient.report_step(run, report))

    def finish_run(self, run: str, finish: RunFinish) -> Run:
        return self._answered(lambda: self.impatient.finish_run(run, finish))

    def cached_step(self, key: str) -> CachedStep | None:
        return self._answered(lambda: self.impatient.cached_step(key))

    def cache_step(self, step: CachedStep) -> None:
        self._answered(lambda: self.impatient.cache_step(step))

    def register_model(self, model: RegisterModel) -> ModelVersion:
        return self._answered(lambda: self.impatient.register_model(model))

    def find_model(self, reference: str) -> ModelVersion:
        return self._answered(lambda: self.impatient.find_model(reference))
