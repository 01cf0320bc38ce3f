"""A house whose clock shows the real time, since python-tuf's client looks at the real one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lineside.server.services import Core
from lineside.server.testing import FakeClock, make_core
from tests.server.trust.hands import Follower, Hand, House


@pytest.fixture
def core(tmp_path: Path, database: dict[str, Any]) -> Iterator[Core]:
    core = make_core(tmp_path / "root", FakeClock(datetime.now(UTC)), **database)
    yield core
    core.database.close()


@pytest.fixture
def house(core: Core) -> House:
    return House(core)


@pytest.fixture
def device(house: House, tmp_path: Path) -> Follower:
    return Follower(tmp_path / "device", house.proposals.repository)


@pytest.fixture
def people() -> dict[str, list[Hand]]:
    """Three with a root key, one for targets, two approvers, one builder."""
    return {
        "root": [Hand("root-1"), Hand("root-2"), Hand("root-3")],
        "targets": [Hand("targets")],
        "approvers": [Hand("anna"), Hand("ben", ecdsa=True)],
        "builders": [Hand("builder")],
    }
