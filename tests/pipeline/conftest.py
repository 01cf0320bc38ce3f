"""A small dataset of white squares, a control plane that serves it, and workers to kill."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lineside.contract.dataset import Box, DatasetVersion, ImageRecord, Split
from lineside.contract.model import ModelVersion
from lineside.contract.run import Run, RunRequest, RunState, StepState
from lineside.pipeline.testing import MemoryControl
from tests.eventually import eventually
from tests.pipeline.http_control import HttpControl

PLUGIN = Path(__file__).parent / "plugin"
SIDE = 64
SPLITS = (Split.TRAIN,) * 4 + (Split.VAL,) * 3 + (Split.TEST,) * 5
ENDED = (RunState.SUCCEEDED, RunState.GATED, RunState.FAILED, RunState.CANCELLED)


def worker_command(url: str) -> list[str]:
    """The worker's command line, but for its folder."""
    return [sys.executable, "-m", "lineside.pipeline", "--url", url]


def squares(seed: int) -> tuple[bytes, tuple[Box, ...]]:
    """A dark PNG picture with two white squares of 8 x 8 pixels on the grid of 8."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 30, (SIDE, SIDE, 3), dtype=np.uint8)
    cells = random.choice(64, size=2, replace=False)
    places = [(int(cell % 8) * 8, int(cell // 8) * 8) for cell in cells]
    for x, y in places:
        pixels[y : y + 8, x : x + 8] = 255
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue(), tuple(Box(label="square", x=x, y=y, width=8, height=8) for x, y in places)


def add_squares(
    control: MemoryControl, splits: tuple[Split, ...] = SPLITS, *, seed: int = 0, groups: dict[int, str] | None = None
) -> DatasetVersion:
    """A dataset version of such pictures; each is a group of its own unless `groups` says otherwise, by its number."""
    records = []
    for number, split in enumerate(splits):
        data, boxes = squares(100 * seed + number)
        record = ImageRecord(
            digest=control.add_blob(data),
            file_name=f"{number}.png",
            width=SIDE,
            height=SIDE,
            group=(groups or {}).get(number, str(number)),
            split=split,
            boxes=boxes,
        )
        records.append(record)
    return control.add_dataset(("square",), tuple(records))


def descendants(pid: int) -> list[int]:
    """Every process that this one started, and what those started."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(folder.name))
    found, look = [], [pid]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return found


class Workplace:
    """A control plane, a worker's folder, and at most one worker process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.case = 0
        self.hold = root / "hold"
        self.hold.mkdir()
        self.control = MemoryControl()
        self.http = HttpControl(self.control)
        self.worker: subprocess.Popen[bytes] | None = None
        self.started = 0

    def next_case(self) -> None:
        """Another test uses this place: other pictures, another model name, an empty journal."""
        self.case += 1

    @property
    def journal(self) -> Path:
        return self.root / f"journal-{self.case}"

    @property
    def model(self) -> str:
        return f"squares-{self.case}"

    def dataset(self, splits: tuple[Split, ...] = SPLITS, groups: dict[int, str] | None = None) -> DatasetVersion:
        """A dataset version of this case's own."""
        return add_squares(self.control, splits, seed=self.case, groups=groups)

    def models(self) -> list[ModelVersion]:
        """Versions this case registered."""
        return [model for model in self.control.models if model.name == self.model]

    def request(self, dataset: DatasetVersion | None = None, **parameters: Any) -> RunRequest:
        """A run of the trainer for tests."""
        given = {"journal": str(self.journal), "hold": str(self.hold)} | parameters
        known = dataset or self.dataset()
        return RunRequest(model=self.model, dataset=known.id, trainer="speck", parameters=given)

    def do(self, request: RunRequest) -> Run:
        """Start a run and wait for its end."""
        return self.finish(self.control.start_run(request))

    def start_worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """A worker process, which ends when this process does."""
        self._reap()
        self.started += 1
        path = os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (self.root / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [*worker_command(self.http.url), "--root", str(self.root / "worker"), "--parent-stdin", *options],
                stdin=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | environment,
            )
        return self.worker

    def kill_worker(self) -> None:
        """As a power cut does: the worker and everything it started, without a word of warning."""
        assert self.worker is not None
        for pid in (self.worker.pid, *descendants(self.worker.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def finish(self, run: Run, seconds: float = 300.0) -> Run:
        """Wait until the run has ended; a worker that dies is started again."""

        def ended() -> bool:
            if self.worker is None or self.worker.poll() is not None:
                self.start_worker()
            return self.control.run(run.id).state in ENDED

        eventually(ended, seconds)
        return self.control.run(run.id)

    def epochs(self) -> list[str]:
        """What the trainer really did, over all processes."""
        return self.journal.read_text().split("\n")[:-1] if self.journal.exists() else []

    def log(self) -> str:
        return (self.root / "worker.log").read_text()

    def close(self) -> None:
        self._reap()
        self.http.stop()

    def _reap(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()
            assert self.worker.stdin is not None
            self.worker.stdin.close()


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A place of the test's own, to kill workers in."""
    place = Workplace(tmp_path)
    yield place
    place.close()


@pytest.fixture(scope="session")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    place = Workplace(tmp_path_factory.mktemp("office"))
    yield place
    place.close()


@pytest.fixture
def office(_office: Workplace) -> Workplace:
    """A place that tests share, with one worker, for those that leave it alive."""
    _office.next_case()
    return _office


def states(run: Run) -> dict[str, StepState]:
    """The state of each step of a run."""
    return {step.name: step.state for step in run.steps}
