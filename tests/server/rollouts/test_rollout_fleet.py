"""A fleet with 30 % offline, 5 % failing and 2 % flapping: canary ► 10 % ► 100 %, on a good model and on a bad one.

The same at 10,000 devices, with times: `python -m benchmarks.rollout --devices 10000`.
"""

from __future__ import annotations

import pytest
from benchmarks.rollout import PLAN

from lineside.contract.rollout import RolloutState
from lineside.server.testing_fleet import SimulatedFleet

pytestmark = pytest.mark.sqlite_only  # thousands of rows: what differs between the two is tested with few


def test_it_completes_when_the_model_is_good_and_stops_at_the_gate_when_it_is_bad(core, clock):
    fleet = SimulatedFleet(core=core, clock=clock, size=600)
    first = fleet.until_over(fleet.deploy(1, PLAN))
    assert first.state is RolloutState.SUCCEEDED
    assert fleet.runs() == {1: 600}
    good = fleet.until_over(fleet.deploy(2, PLAN))
    assert good.state is RolloutState.SUCCEEDED
    assert fleet.runs() == {2: 600}
    assert [wave.devices for wave in good.counts] == [20, 40, 540]
    assert all(wave.by["healthy"] > wave.devices * 0.4 for wave in good.counts)
    assert all(wave.by["unknown"] > wave.devices * 0.1 for wave in good.counts)  # never counted as success


def test_a_bad_model_reaches_the_canaries_and_nobody_else(core, clock):
    fleet = SimulatedFleet(core=core, clock=clock, size=600, bad={2: 0.5})
    fleet.until_over(fleet.deploy(1, PLAN))
    bad = fleet.until_over(fleet.deploy(2, PLAN))
    assert bad.state is RolloutState.FAILED
    assert "'failed in wave 1' is" in next(move.why for move in bad.history if move.wanted == "rolling_back")
    assert [wave.sent_back for wave in bad.counts] == [20, 0, 0]
    assert fleet.runs() == {1: 600}
    assert sum(wave.back for wave in bad.counts) >= 10  # the others are offline, and go back when they return
