"""The control plane for tests of its rooms: real SQLite, real files, real HTTP on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running, make_core, running


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
