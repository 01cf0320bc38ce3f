"""Only the rooms that are tested here, and those they look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.server.access.room import room as access
from lineside.server.devices.room import room as devices
from lineside.server.testing import FakeClock, Running, running
from tests.server.access.people import House, house


@pytest.fixture
def lineside(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[Running]:
    """People's and devices' API of the rooms access and devices."""
    with running(tmp_path / "lineside", clock, (access, devices), **database) as up:
        yield up


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One control plane with real accounts for all tests of a module that are not in each other's way."""
    with house(tmp_path_factory.mktemp("shared") / "root") as opened:
        yield opened
