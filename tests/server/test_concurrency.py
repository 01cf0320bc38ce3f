"""What must happen once happens once, however many ask at the same moment: on SQLite the threads of one process, on
PostgreSQL those of two control planes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lineside.contract.device import JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.run import RunRequest
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.datasets.service import DatasetsService
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import DesiredRow
from lineside.server.rollouts.testing import Fleet
from lineside.server.runs.service import RunsService
from lineside.server.runs.store import RunRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock, make_core

ASKING = 8


@pytest.fixture
def cores(core: Core, database: dict[str, Any], tmp_path: Path, clock: FakeClock) -> Iterator[list[Core]]:
    """The control planes of a database: two where it can be shared."""
    if not core.database.shared:
        yield [core]
        return
    other = make_core(tmp_path / "other", clock, **database)
    yield [core, other]
    other.database.close()


def at_once(cores: list[Core], what: Callable[[Core, int], Any], times: int = ASKING) -> list[Any]:
    """What each of many gets who ask together; an error is its code."""
    together = threading.Barrier(times)

    def ask(number: int) -> Any:
        together.wait()
        try:
            return what(cores[number % len(cores)], number)
        except LinesideError as error:
            return error.code

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(ask, range(times)))


def test_a_token_is_good_for_as_many_as_it_says(cores: list[Core]) -> None:
    with cores[0].database.write() as session:
        made = JoinTokens(cores[0], "f" * 64).create(session, JoinTokenRequest(group="line", uses=3))

    def use(core: Core, _: int) -> str:
        with core.database.write() as session:
            tokens = JoinTokens(core, "f" * 64)
            tokens.use(session, tokens.find(session, made.token), twin=False)
        return "joined"

    assert Counter(at_once(cores, use)) == {"joined": 3, "join.token_used": ASKING - 3}


def test_each_run_goes_to_one_worker(cores: list[Core]) -> None:
    with cores[0].database.write() as session:
        for number in range(5):
            request = RunRequest(model="tags", dataset="d", trainer="compact")
            session.add(
                RunRow(id=f"run-{number}", state="queued", request=request, created_at="2026-01-01T00:00:00.000Z")
            )

    def claim(core: Core, number: int) -> str | None:
        run = RunsService(core, DatasetsService(core)).claim(f"worker-{number}")
        return run.id if run else None

    got = Counter(at_once(cores, claim))
    assert got == {**{f"run-{number}": 1 for number in range(5)}, None: ASKING - 5}


def test_every_change_of_a_desired_document_has_a_revision_of_its_own(cores: list[Core]) -> None:
    Fleet(cores[0]).join("cam-1")

    def change(core: Core, number: int) -> int:
        with core.database.write() as session:
            documents = DesiredDocuments(core)
            documents.set_many(session, ["cam-1"], (), f"rollout-{number}")
            return documents.desired(session, "cam-1").revision

    assert sorted(at_once(cores, change)) == list(range(1, ASKING + 1))
    with cores[0].database.read() as session:
        assert session.scalar(select(DesiredRow.revision)) == ASKING


def test_what_is_read_inside_a_write_is_what_the_last_write_left(cores: list[Core]) -> None:
    """Each reads a number first, takes its time, and writes one more."""
    Fleet(cores[0]).join("cam-1")
    with cores[0].database.write() as session:
        DesiredDocuments(cores[0]).set_many(session, ["cam-1"], (), "rollout-1")

    def add_one(core: Core, _: int) -> None:
        for _again in range(5):
            with core.database.write() as session:
                row = session.get_one(DesiredRow, "cam-1")
                session.scalar(select(RunRow.id).limit(1))
                row.revision += 1

    at_once(cores, add_one)
    with cores[0].database.read() as session:
        assert session.scalar(select(DesiredRow.revision)) == 1 + 5 * ASKING
