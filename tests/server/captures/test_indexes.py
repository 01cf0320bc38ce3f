"""Captures are found by the index of what is asked for, in its order, however many there are."""

from __future__ import annotations

from functools import partial

import pytest

from lineside.contract.capture import CaptureFilter
from lineside.server.captures.service import CapturesService
from lineside.server.services import Core
from tests.server.query_plans import plans

pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("", "uploaded_at (uploaded_at"),
        ("request", "request (request=? AND uploaded_at"),
        ("request device model", "request (request=? AND uploaded_at"),
        ("device", "device_uploaded_at (device=? AND uploaded_at"),
        ("device strategy", "device (device=? AND strategy=? AND uploaded_at"),
        ("device model", "device_model (device=? AND model=? AND uploaded_at"),
        ("device model strategy", "device (device=? AND strategy=? AND uploaded_at"),
        ("model", "model_uploaded_at (model=? AND uploaded_at"),
        ("model strategy", "model (model=? AND strategy=? AND uploaded_at"),
        ("strategy", "strategy (strategy=? AND uploaded_at"),
    ],
)
def test_each_filter_is_cut_by_its_index(core: Core, asked: str, index: str) -> None:
    for since in (None, "2026-01-01T00:00:00Z"):
        which = CaptureFilter(**dict.fromkeys(asked.split(), "x"), since=since)
        for steps in plans(core.database, "captures", partial(CapturesService(core).page, which, 0, 100)):
            assert any(f"INDEX ix_captures_{index}" in step for step in steps)
            assert not any(step.startswith("SCAN captures") for step in steps)
