"""What runs keep, so that another worker can go on: for their newest attempt alone, and gone when they have ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.run import CachedStep, Run, RunFinish, RunState
from lineside.contract.worker import MOST_KEPT, Claim, Kept
from lineside.server.datasets.service import DatasetsService
from lineside.server.runs.kept import KeptFiles
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from lineside.server.testing import Running
from tests.server.runs.test_runs import add_dataset, code, training

OLD, NEW = b"epoch 1", b"epoch 2"


@pytest.fixture
def runs(core: Core) -> RunsService:
    add_dataset(core)
    return RunsService(core, DatasetsService(core))


@pytest.fixture
def kept(core: Core) -> KeptFiles:
    return KeptFiles(core)


def begun(runs: RunsService, worker: str = "w1") -> tuple[Run, str]:
    """A run at work, and the words that name its attempt."""
    runs.start(training())
    run = runs.leasing.claim(Claim(worker=worker))
    assert run is not None
    return run, f"{run.id} {run.attempt}"


def put(kept: KeptFiles, run: str, name: str, data: bytes, attempt: str | None) -> Kept:
    return kept.keep(run, name, digest_of(data), attempt, iter([data]))


def held(kept: KeptFiles, run: str, attempt: str) -> dict[str, bytes]:
    return {one.name: b"".join(kept.read(run, one.name, attempt)[1]) for one in kept.of(run, attempt)}


def files_in(root: Path) -> list[Path]:
    return [path for path in (root / "objects" / "kept").rglob("*") if path.is_file()]


def test_the_newest_of_a_name_stays_for_the_next_attempt_and_goes_with_the_run(
    runs: RunsService, kept: KeptFiles, core: Core
) -> None:
    run, first = begun(runs)
    put(kept, run.id, "deep/last.pt", OLD, first)
    put(kept, run.id, "deep/last.pt", NEW, first)
    put(kept, run.id, "curve.json", b"[]", first)
    assert len(files_in(core.root)) == 2
    again = runs.leasing.claim(Claim(worker="w1"))
    assert again is not None
    second = f"{run.id} {again.attempt}"
    assert held(kept, run.id, second) == {"curve.json": b"[]", "deep/last.pt": NEW}
    runs.finish(run.id, RunFinish(state=RunState.SUCCEEDED))
    assert files_in(core.root) == []


def test_only_the_newest_attempt_keeps_and_fetches(runs: RunsService, kept: KeptFiles, core: Core) -> None:
    run, first = begun(runs)
    put(kept, run.id, "last.pt", OLD, first)
    other, others = begun(runs, "w2")
    assert runs.leasing.claim(Claim(worker="w1")) is not None  # the next attempt at the first run
    for attempt in (first, others, f"{run.id} 9", "nothing"):
        for act in (
            lambda attempt=attempt: put(kept, run.id, "last.pt", NEW, attempt),
            lambda attempt=attempt: kept.of(run.id, attempt),
            lambda attempt=attempt: kept.read(run.id, "last.pt", attempt),
        ):
            with pytest.raises(LinesideError) as caught:
                act()
            assert code(caught) == "run.lease_lost"
    with pytest.raises(LinesideError) as caught:
        put(kept, run.id, "last.pt", NEW, None)
    assert code(caught) == "request.invalid"
    assert held(kept, run.id, f"{run.id} 2") == {"last.pt": OLD}
    assert other.id != run.id
    assert len(files_in(core.root)) == 1


def test_an_attempt_that_ends_while_it_sends_leaves_nothing(runs: RunsService, kept: KeptFiles, core: Core) -> None:
    run, first = begun(runs)

    def slow() -> Iterator[bytes]:
        yield NEW[:3]
        runs.cancel(run.id)
        yield NEW[3:]

    with pytest.raises(LinesideError) as caught:
        kept.keep(run.id, "last.pt", digest_of(NEW), first, slow())
    assert code(caught) == "run.lease_lost"
    assert files_in(core.root) == []


def test_a_worker_makes_no_blob_go(lineside: Running) -> None:
    """By its token it could name any digest as a file of its run, and what a run keeps is deleted with it."""
    core = lineside.core
    add_dataset(core)
    people = Client(lineside.people_url)
    people.start_run(training())
    run = people.claim_run("w1")
    assert run is not None
    worker = Client(lineside.people_url, attempt=f"{run.id} {run.attempt}")
    image = people.put_blob(b"an image of a dataset")
    made = people.put_blob(b"what a step made")
    worker.cache_step(CachedStep(key="k", outputs={"file": made}, run=run.id))
    copy = lineside.core.root / "copy"
    copy.write_bytes(b"an image of a dataset")
    worker.keep_file(run.id, "last.pt", copy, image)  # the very bytes
    worker.keep_file(run.id, image.removeprefix("sha256:"), copy, image)
    for name in (f"../../sha256/{image[7:9]}/{image[7:]}", ".."):
        with pytest.raises(LinesideError):
            worker.keep_file(run.id, name, copy, image)
    fetched = worker.fetch_kept(run.id, "last.pt", core.root / "fetched")
    assert fetched.read_bytes() == b"an image of a dataset"
    worker.finish_run(run.id, RunFinish(state=RunState.SUCCEEDED))
    assert files_in(core.root) == []
    assert people.get_blob(image) == b"an image of a dataset"
    assert people.get_blob(made) == b"what a step made"


@pytest.mark.parametrize("name", ["../last.pt", "a//b", "/etc/passwd", "a\x00b", "", "x" * 129])
def test_names_lead_nowhere_else(runs: RunsService, kept: KeptFiles, name: str) -> None:
    run, first = begun(runs)
    with pytest.raises(LinesideError) as caught:
        put(kept, run.id, name, OLD, first)
    assert code(caught) == "request.invalid"


def test_a_run_keeps_so_many_files_at_most(runs: RunsService, kept: KeptFiles) -> None:
    run, first = begun(runs)
    for number in range(MOST_KEPT):
        put(kept, run.id, f"{number}.pt", OLD, first)
    put(kept, run.id, "0.pt", NEW, first)
    with pytest.raises(LinesideError) as caught:
        put(kept, run.id, "more.pt", OLD, first)
    assert code(caught) == "request.invalid"


def test_what_a_kill_left_behind_is_removed_later(
    runs: RunsService, kept: KeptFiles, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, first = begun(runs)
    put(kept, ended.id, "last.pt", OLD, first)
    at_work, second = begun(runs, "w2")
    put(kept, at_work.id, "last.pt", NEW, second)
    files = core.objects.files
    files.write("run-unknown", "a", iter([OLD]), digest_of(OLD), 100)
    with monkeypatch.context() as killed:
        killed.setattr(runs._files, "forget", lambda run: None)  # as if the process had ended after its last write
        runs.finish(ended.id, RunFinish(state=RunState.SUCCEEDED))
    assert ended.id in files.folders()
    kept.forget_ended()
    assert files.folders() == sorted([at_work.id, "run-unknown"])
    assert held(kept, at_work.id, second) == {"last.pt": NEW}
    files.write(ended.id, "upload", iter([OLD]), digest_of(OLD), 100)  # cut off before there was a note of it
    kept.forget_ended()
    assert files.folders() == sorted([at_work.id, "run-unknown"])
