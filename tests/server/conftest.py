"""The control plane for tests of its rooms: real SQLite and PostgreSQL, real files, real HTTP on free ports.

A test that takes `core` runs on both databases: stores and services must do the same on either. One that takes
`lineside` goes through HTTP and runs on SQLite, unless its file says `pytestmark = pytest.mark.both_databases`; a test
that is about one of them says `pytest.mark.sqlite_only` or `pytest.mark.postgresql_only`. Without PostgreSQL's programs
the second half is skipped.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.server.root import open_core
from lineside.server.services import Core
from lineside.server.settings import Settings
from lineside.server.testing import FakeClock, Running, make_core, running
from tests.server.postgresql import Databases, programs, server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On which databases a test runs."""
    if "engine" not in metafunc.fixturenames:
        return
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    both = "both_databases" in marks or "core" in metafunc.fixturenames
    engines = ["sqlite", "postgresql"] if both else ["sqlite"]
    if "sqlite_only" in marks:
        engines = ["sqlite"]
    elif "postgresql_only" in marks:
        engines = ["postgresql"]
    metafunc.parametrize("engine", engines, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`; see the top of this file."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def clock() -> FakeClock:
    """A clock the test moves."""
    return FakeClock()


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of a control plane on this test's database."""
    if engine == "sqlite":
        return {}
    databases: Databases = request.getfixturevalue("postgresql_databases")
    return {"database_url": databases.with_tables()}


@pytest.fixture
def core(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[Core]:
    """What a service needs, on a root of its own."""
    core = make_core(tmp_path / "root", clock, **database)
    yield core
    core.database.close()


@pytest.fixture
def lineside(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[Running]:
    """People's and devices' API on free ports."""
    with running(tmp_path / "root", clock, **database) as up:
        yield up


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[Databases]:
    """A PostgreSQL for the tests of this worker."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="lineside-pg-"))  # pytest's own folders are closed to other users
    try:
        with server(found, folder) as url:
            yield Databases(url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new(engine: str, tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[Core]:
    """A core on a database without any table."""
    url = ""
    if engine == "postgresql":
        databases: Databases = request.getfixturevalue("postgresql_databases")
        url = databases.empty()
    (tmp_path / "keys").mkdir()
    core = open_core(tmp_path, Settings(database_url=url), clock)
    yield core
    core.database.close()


@pytest.fixture
def postgresql(postgresql_databases: Databases) -> str:
    """The URL of a new, empty database."""
    return postgresql_databases.empty()
