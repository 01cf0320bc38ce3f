"""Two real workers on one control plane: one is killed while it trains, the other goes on from its last checkpoint."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lineside.client import Client
from lineside.contract.dataset import DatasetVersion, ImageRecord, Split
from lineside.contract.ids import content_digest
from lineside.contract.run import TRAIN_STEPS, RunRequest, RunState, StepState
from lineside.contract.worker import LEASE_SECONDS
from lineside.server.datasets.store import add_version
from lineside.server.runs import leasing
from lineside.server.services import Core
from lineside.server.testing import Running, running
from tests.eventually import eventually
from tests.pipeline.conftest import PLUGIN, SIDE, SPLITS, descendants, squares, worker_command

EPOCHS = 8
HELD = 5


@pytest.fixture
def plane(tmp_path: Path, database: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """By the real time, with a lease that lapses sooner than the real one."""
    monkeypatch.setattr(leasing, "_LEASE", timedelta(seconds=4))
    with running(tmp_path / "root", **database) as up:
        yield up


@pytest.fixture
def start(plane: Running, tmp_path: Path) -> Iterator[Any]:
    started = []

    def worker(name: str, *options: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])])
        words = ["--root", str(tmp_path / name), "--name", name, "--keep-seconds", "0", *options]
        with (tmp_path / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*worker_command(plane.people_url), *words],
                stderr=log,
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )
        started.append(process)
        return process

    yield worker
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As if the machine had lost its power."""
    for pid in (process.pid, *descendants(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def add_squares(core: Core) -> str:
    """A dataset version of squares; its id."""
    records = []
    for number, split in enumerate(SPLITS):
        data, boxes = squares(number)
        digest = core.objects.put(data)
        name = f"{number}.png"
        records.append(
            ImageRecord(digest=digest, file_name=name, width=SIDE, height=SIDE, group=name, split=split, boxes=boxes)
        )
    sides = {side.value: SPLITS.count(side) for side in Split}
    digest = content_digest([record.digest for record in records])
    version = DatasetVersion(
        id="ds-0123456789ab", digest=digest, name="squares", created_at="", format="coco", origin="drawn",
        images=len(records), boxes=24, classes=("square",), splits=sides, groups=12, split_by="given",
    )  # fmt: skip
    with core.database.write() as session:
        add_version(session, version, tuple(records))
    return version.id


def test_a_lapsed_lease_is_noticed_within_a_minute() -> None:
    assert leasing._LEASE == timedelta(seconds=LEASE_SECONDS) <= timedelta(seconds=30)


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_killed_workers_run_is_taken_over_and_nothing_is_repeated(plane: Running, start: Any, tmp_path: Path) -> None:
    client = Client(plane.people_url)
    journal, hold = tmp_path / "journal", tmp_path / "hold"
    hold.mkdir()
    (hold / str(HELD)).touch()
    parameters = {"journal": str(journal), "hold": str(hold), "epochs": EPOCHS}
    request = RunRequest(
        model="squares", dataset=add_squares(plane.core), trainer="speck", parameters=parameters, queue="gpu"
    )
    run = client.start_run(request)
    first = start("first", "--queue", "gpu", "--slots", "2")
    eventually((hold / f"{HELD}-waits").exists, 90)
    before = {step.name: step.started_at for step in client.run(run.id).steps}
    start("second", "--queue", "gpu")
    kill(first)
    (hold / str(HELD)).unlink()
    eventually(lambda: client.run(run.id).state is not RunState.RUNNING, 120)
    ended = client.run(run.id)
    assert ended.error is None
    assert (ended.state, ended.worker, ended.attempt) == (RunState.SUCCEEDED, "second", 2)
    assert {step.name: step.state for step in ended.steps} == dict.fromkeys(TRAIN_STEPS, StepState.DONE)
    assert journal.read_text().split() == " ".join(f"epoch {epoch}" for epoch in range(1, EPOCHS + 1)).split()
    assert [step.started_at for step in ended.steps[:3]] == [before[name] for name in TRAIN_STEPS[:3]]
    assert [model.version for model in client.models()] == [1]
    assert {point.epoch for point in client.run_curves(run.id)} == set(range(1, EPOCHS + 1))
    said = "".join(piece.text for piece in client.run_logs(run.id, step="train", limit=200).pieces)
    assert "last.json was kept by an attempt before" in said
