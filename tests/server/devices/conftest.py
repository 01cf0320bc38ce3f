"""Only the rooms that are tested here, and those they look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.server.access.room import room as access
from lineside.server.devices.room import room as devices
from lineside.server.testing import FakeClock, Running, running


@pytest.fixture
def lineside(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[Running]:
    """People's and devices' API of the rooms access and devices."""
    with running(tmp_path / "lineside", clock, (access, devices), **database) as up:
        yield up
