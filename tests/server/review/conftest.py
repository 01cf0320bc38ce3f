"""A control plane with captures in review."""

from __future__ import annotations

import pytest

from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.review.world import World


@pytest.fixture
def world(core: Core, clock: FakeClock) -> World:
    """Services on one database, and a clock that is moved by hand."""
    return World(core, clock)
