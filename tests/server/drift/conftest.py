"""A drift service that knows a device and its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineside.server.drift.service import DriftService
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.drift.telling import a_device, a_model, payload, window

Tell = Callable[..., bool]


@pytest.fixture
def drift(core: Core) -> DriftService:
    a_device(core)
    a_model(core)
    return DriftService(core)


@pytest.fixture
def tell(core: Core, drift: DriftService, clock: FakeClock) -> Tell:
    """Ten minutes pass, and a device tells of them."""
    told = iter(range(1_000_000))

    def tell(device: str = "cam-1", **fields: Any) -> bool:
        began = window(core, device, next(told), **fields)
        clock.advance(600)
        return drift.take(device, payload(began))

    return tell
