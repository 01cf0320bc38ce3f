"""A hint to many says within what time to ask; each device picks its moment."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lineside.agent.attention import Attention
from lineside.agent.link.hints import MAX_SPREAD, spread
from lineside.agent.link.polling import Listener, Poller
from lineside.server.adapters.hints import Spreading


@pytest.mark.parametrize(
    ("payload", "seconds"),
    [
        (b"", 0.0),
        (b"{}", 0.0),
        (b'{"spread": 4}', 4.0),
        (b'{"spread": -4}', 0.0),
        (b'{"spread": 1e300}', MAX_SPREAD),
        (b'{"spread": "long"}', 0.0),
        (b'{"spread": 2.5, "word of a later release": [1]}', 2.5),
        (b"\xff[" * 2000, 0.0),
    ],
)
def test_what_a_hint_says(payload: bytes, seconds: float) -> None:
    assert spread(payload) == seconds


def test_the_control_plane_spreads_bursts_only() -> None:
    assert [spread(Spreading().payload(devices)) for devices in (1, 30, 3000, 10_000)] == [0.0, 0.0, 10.0, 33.3]


def test_bursts_that_follow_each_other_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, spreading = [100.0], Spreading()
    monkeypatch.setattr("lineside.server.adapters.hints.time.monotonic", lambda: now[0])
    assert [spread(spreading.payload(1500)) for _ in range(3)] == [5.0, 10.0, 15.0]
    assert spread(spreading.payload(2)) == 0.0  # few never wait
    now[0] += 15.0
    assert spread(spreading.payload(1500)) == 5.0


def test_a_hint_without_spread_comes_before_one_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineside.agent.link.polling.random.uniform", lambda low, high: high)
    nobody: Any = None
    listener = Listener(say=lambda _: None, flush=lambda: None, failed=lambda _: None)
    poller = Poller(nobody, nobody, Attention(), listener)
    began = time.monotonic()
    poller.hint(500.0)
    assert poller._hinted() >= began + 500.0
    poller.hint()
    assert began <= poller._hinted() <= time.monotonic()
    poller.hint(500.0)
    assert poller._hinted() <= time.monotonic()
