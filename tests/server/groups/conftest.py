"""A fleet that is only read."""

from __future__ import annotations

import pytest

from lineside.server.services import Core
from tests.server.groups.fleet import add_devices, mixed


@pytest.fixture
def selected_fleet(core: Core) -> Core:
    """Devices with every mix of some labels."""
    add_devices(core, mixed())
    return core
