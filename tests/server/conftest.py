"""The control plane for tests of its rooms: real SQLite, real files, real HTTP on free ports."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running, make_core, running
from tests.server.postgresql import programs, server


@pytest.fixture
def clock() -> FakeClock:
    """A clock the test moves."""
    return FakeClock()


@pytest.fixture
def core(tmp_path: Path, clock: FakeClock) -> Iterator[Core]:
    """What a service needs, on a root of its own."""
    core = make_core(tmp_path / "root", clock)
    yield core
    core.database.close()


@pytest.fixture
def lineside(tmp_path: Path, clock: FakeClock) -> Iterator[Running]:
    """People's and devices' API on free ports."""
    with running(tmp_path / "root", clock) as up:
        yield up


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL for the tests of this worker; its URL but for the name of the database."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="lineside-pg-"))  # pytest's own folders are closed to other users
    try:
        with server(found, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_NUMBERS = itertools.count()


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """The URL of a new, empty database."""
    psycopg = pytest.importorskip("psycopg")
    name = f"test_{next(_NUMBERS)}"
    address = postgresql_server.format(name="postgres").replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_server.format(name=name)
