"""A control plane in memory, for tests of the pipeline: the fake beside `lineside.pipeline.control.Control`."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from lineside.contract.dataset import DatasetVersion, ImagePage, ImageRecord, content_of
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, digest_of
from lineside.contract.model import ModelState, ModelVersion, RegisterModel
from lineside.contract.moves import check_move
from lineside.contract.run import (
    RUN_MOVES,
    CachedStep,
    Run,
    RunFinish,
    RunRequest,
    RunState,
    Step,
    StepReport,
)
from lineside.contract.run_order import BUILT_IN, arrange
from lineside.contract.worker import Beat, BeatAnswer, Claim, Held, Kept, Leave, LogReport
from lineside.pipeline.files import write_whole
from lineside.pipeline.gates import blocked

_LONG_AGO = "2026-01-01T00:00:00.000Z"


class MemoryControl:
    """Keeps everything in dictionaries, and each report in `reports`. Safe to use from several threads."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.reports: list[tuple[str, Step]] = []
        self.models: list[ModelVersion] = []
        self.curves: dict[str, dict[tuple[str, int], float]] = {}
        self._runs: dict[str, Run] = {}
        self.logs: dict[str, list[LogReport]] = {}
        self.kept: dict[str, dict[str, bytes]] = {}
        self.left: list[Held] = []
        self._datasets: dict[str, tuple[DatasetVersion, tuple[ImageRecord, ...]]] = {}
        self._steps: dict[str, CachedStep] = {}
        self._lock = threading.RLock()

    # --- what people do -------------------------------------------------------------------------------------------

    def add_blob(self, data: bytes) -> str:
        """A blob that somebody sent before."""
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def add_dataset(self, classes: tuple[str, ...], images: tuple[ImageRecord, ...]) -> DatasetVersion:
        """A dataset version whose pictures are blobs already."""
        digest = content_digest(content_of(classes, images))
        sides = [image.split.value for image in images]
        version = DatasetVersion(
            id=f"ds-{digest.removeprefix('sha256:')[:12]}",
            digest=digest,
            name="test",
            created_at=_LONG_AGO,
            format="coco",
            origin="rendered",
            images=len(images),
            boxes=sum(len(image.boxes) for image in images),
            classes=classes,
            splits={side: sides.count(side) for side in set(sides)},
            groups=len({image.group for image in images}),
            split_by="given",
        )
        self._datasets[version.id] = (version, images)
        return version

    def start_run(self, request: RunRequest) -> Run:
        """Queue a run."""
        with self._lock:
            kind = request.kind if request.kind in BUILT_IN else "train"  # a worker refuses it, too
            run = Run(
                id=f"run-{len(self._runs) + 1}",
                state=RunState.QUEUED,
                request=request,
                steps=arrange(kind, request.steps),
                created_at=_LONG_AGO,
            )
            self._runs[run.id] = run
            self.curves[run.id] = {}
            return run

    def cancel_run(self, run: str) -> Run:
        """Stop a run."""
        return self._move(run, RunState.CANCELLED)

    # --- what a worker does ---------------------------------------------------------------------------------------

    def blobs_missing(self, digests: list[str]) -> list[str]:
        return [digest for digest in digests if digest not in self.blobs]

    def put_blob(self, data: bytes) -> str:
        return self.add_blob(data)

    def put_blob_file(self, file: Path, digest: str) -> str:
        return self.add_blob(file.read_bytes())

    def get_blob(self, digest: str) -> bytes:
        with self._lock:
            self.fetched.append(digest)
            if digest not in self.blobs:
                raise LinesideError("request.not_found", what="blob", name=digest)
            return self.blobs[digest]

    def fetch_blob(self, digest: str, target: Path) -> Path:
        write_whole(target, self.get_blob(digest))
        return target

    def dataset(self, dataset: str) -> DatasetVersion:
        return self._dataset(dataset)[0]

    def dataset_images(self, dataset: str, *, split: str | None = None, offset: int = 0, limit: int = 500) -> ImagePage:
        images = [image for image in self._dataset(dataset)[1] if split is None or image.split.value == split]
        return ImagePage(images=tuple(images[offset : offset + limit]), offset=offset, total=len(images))

    def run(self, run: str) -> Run:
        with self._lock:
            if run not in self._runs:
                raise LinesideError("request.not_found", what="run", name=run)
            return self._runs[run]

    def claim_run(self, claim: Claim) -> Run | None:
        with self._lock:
            holding = {held.run for held in claim.holding}
            for run in self._runs.values():
                mine = run.state is RunState.RUNNING and run.worker == claim.worker and run.id not in holding
                if mine or (run.state is RunState.QUEUED and run.request.queue == claim.queue):
                    if not mine:
                        self._move(run.id, RunState.RUNNING)
                    changed = msgspec.structs.replace(self._runs[run.id], worker=claim.worker, attempt=run.attempt + 1)
                    self._runs[run.id] = changed
                    return changed
            return None

    def beat(self, beat: Beat) -> BeatAnswer:
        with self._lock:
            return BeatAnswer(lost=tuple(held.run for held in beat.holding if not self._holds(held)))

    def _holds(self, held: Held) -> bool:
        run = self._runs[held.run]
        return run.state is RunState.RUNNING and run.attempt == held.attempt

    def add_log(self, run: str, said: LogReport) -> None:
        with self._lock:
            self.logs.setdefault(run, []).append(said)

    def leave(self, leave: Leave) -> None:
        with self._lock:
            for held in leave.holding:
                if self._holds(held):
                    self.left.append(held)

    def keep_file(self, run: str, name: str, file: Path, digest: str) -> Kept:
        return self.keep(run, name, file.read_bytes())

    def keep(self, run: str, name: str, data: bytes) -> Kept:
        """What `keep_file` does, with the bytes."""
        with self._lock:
            self.kept.setdefault(run, {})[name] = data
            return Kept(name=name, digest=digest_of(data), size=len(data))

    def kept_files(self, run: str) -> list[Kept]:
        with self._lock:
            found = self.kept.get(run, {}).items()
            return [Kept(name=name, digest=digest_of(data), size=len(data)) for name, data in found]

    def kept_bytes(self, run: str, name: str) -> bytes:
        """The bytes of a kept file."""
        with self._lock:
            if name not in self.kept.get(run, {}):
                raise LinesideError("request.not_found", what="file", name=name)
            return self.kept[run][name]

    def fetch_kept(self, run: str, name: str, target: Path) -> Path:
        write_whole(target, self.kept_bytes(run, name))
        return target

    def report_step(self, run: str, report: StepReport) -> None:
        with self._lock:
            known = self.run(run)
            steps = tuple(report.step if step.name == report.step.name else step for step in known.steps)
            self._runs[run] = msgspec.structs.replace(known, steps=steps)
            self.reports.append((run, report.step))
            self.curves[run].update({(point.series, point.epoch): point.value for point in report.curve})

    def finish_run(self, run: str, finish: RunFinish) -> Run:
        with self._lock:
            self._move(run, finish.state)
            changes = {"gates": finish.gates, "model_version": finish.model_version, "error": finish.error}
            self._runs[run] = msgspec.structs.replace(self._runs[run], finished_at=_LONG_AGO, **changes)
            return self._runs[run]

    def cached_step(self, key: str) -> CachedStep | None:
        return self._steps.get(key)

    def cache_step(self, step: CachedStep) -> None:
        self._steps[step.key] = step

    def register_model(self, model: RegisterModel) -> ModelVersion:
        with self._lock:
            for known in self.models:
                if all(getattr(known, name) == getattr(model, name) for name in model.__struct_fields__):
                    return known
            self.models.append(self._version(model))
            return self.models[-1]

    def find_model(self, reference: str) -> ModelVersion:
        """`NAME:VERSION`, or `NAME@champion`: the newest that is approved."""
        name, _, version = reference.partition(":")
        champion = name.removesuffix("@champion")
        for known in reversed(self.models):
            if (known.name, str(known.version)) == (name, version):
                return known
            if name != champion and known.name == champion and known.state is ModelState.APPROVED:
                return known
        raise LinesideError("request.not_found", what="model", name=reference)

    def approve_model(self, name: str, version: int) -> None:
        """As people do, without what comes before it."""
        with self._lock:
            for place, known in enumerate(self.models):
                if (known.name, known.version) == (name, version):
                    self.models[place] = msgspec.structs.replace(known, state=ModelState.APPROVED)

    def _version(self, model: RegisterModel) -> ModelVersion:
        chosen = next(variant for variant in model.variants if variant.chosen)
        return ModelVersion(
            version=1 + sum(known.name == model.name for known in self.models),
            state=ModelState.GATED_OUT if blocked(model.gates) else ModelState.CANDIDATE,
            digest=chosen.digest,
            variant=chosen.name,
            metrics=chosen.metrics,
            created_at=_LONG_AGO,
            **{name: getattr(model, name) for name in model.__struct_fields__},
        )

    def _dataset(self, dataset: str) -> tuple[DatasetVersion, tuple[ImageRecord, ...]]:
        if dataset not in self._datasets:
            raise LinesideError("request.not_found", what="dataset", name=dataset)
        return self._datasets[dataset]

    def _move(self, run: str, wanted: RunState) -> Run:
        with self._lock:
            known = self.run(run)
            state = check_move("run", RUN_MOVES, known.state, wanted)
            self._runs[run] = msgspec.structs.replace(known, state=state)
            return self._runs[run]
