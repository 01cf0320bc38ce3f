"""A plan that cannot be followed is refused before anything is stored, with the place that is wrong."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.rollout import RolloutPlan
from lineside.contract.rollout_rules import check_plan, wave_count

GOOD = {
    "waves": [{"count": 1, "name": "canary"}, {"group": "lab"}, {"percent": 10}, {"percent": 100}],
    "rate": {"perMinute": 50, "factor": 1.5, "every": 1000, "most": 1000, "of": "succeeded"},
    "startAt": "2026-11-21T22:00:00+01:00",
    "windows": [{"start": "22:00", "end": "05:30", "days": ["mon", "fri"]}],
    "timeZone": "Europe/Berlin",
    "gates": [{"kind": "failed", "limit": 0.05, "minReported": 20}, {"kind": "latency_p95", "limit": 80, "wave": 4}],
    "offline": {"action": "proceed", "percent": 60},
    "soakSeconds": 600,
    "deadlineSeconds": 86400,
    "installSeconds": 3600,
}


def plan(**changed: object) -> RolloutPlan:
    return msgspec.convert(GOOD | changed, RolloutPlan)


def test_the_default_plan_and_a_full_one_can_be_followed():
    check_plan(RolloutPlan())
    check_plan(plan())
    assert wave_count(RolloutPlan()) == 2
    assert wave_count(plan()) == 4
    assert wave_count(plan(waves=[{"percent": 10}])) == 2


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"waves": [{}]}, "rollout.waves[0]"),
        ({"waves": [{"percent": 10, "count": 3}]}, "rollout.waves[0]"),
        ({"waves": [{"percent": 0}]}, "rollout.waves[0].percent"),
        ({"waves": [{"percent": 100.5}]}, "rollout.waves[0].percent"),
        ({"waves": [{"percent": float("nan")}]}, "rollout.waves[0].percent"),
        ({"waves": [{"percent": 10}, {"group": "lab"}, {"percent": 10}]}, "rollout.waves[2].percent"),
        ({"waves": [{"count": 5}, {"count": 4}]}, "rollout.waves[1].count"),
        ({"waves": [{"count": 0}]}, "rollout.waves[0].count"),
        ({"waves": [{"group": "lab"}, {"group": "lab"}]}, "rollout.waves[1].group"),
        ({"waves": [{"group": "no name!"}]}, "rollout.waves[0].group"),
        ({"waves": [{"percent": 100}, {"count": 5}]}, "rollout.waves[1]"),
        ({"waves": [{"percent": 1, "name": "x" * 65}]}, "rollout.waves[0].name"),
        ({"waves": [{"percent": (n + 1) / 10} for n in range(51)]}, "rollout.waves"),
        ({"rate": {"perMinute": 0}}, "rollout.rate.perMinute"),
        ({"rate": {"perMinute": float("inf")}}, "rollout.rate.perMinute"),
        ({"rate": {"perMinute": 1, "factor": 0.5}}, "rollout.rate.factor"),
        ({"rate": {"perMinute": 1, "factor": 2}}, "rollout.rate.every"),
        ({"rate": {"perMinute": 1, "every": 2}}, "rollout.rate.every"),
        ({"rate": {"perMinute": 100, "most": 10}}, "rollout.rate.most"),
        ({"startAt": "tomorrow"}, "rollout.startAt"),
        ({"startAt": "2026-11-21T22:00:00"}, "rollout.startAt"),
        ({"windows": [{"start": "24:00", "end": "05:00"}]}, "rollout.windows[0].start"),
        ({"windows": [{"start": "22:00", "end": "5:00"}]}, "rollout.windows[0].end"),
        ({"windows": [{"start": "22:00", "end": "05:00", "days": []}]}, "rollout.windows[0].days"),
        ({"windows": [{"start": "22:00", "end": "05:00", "days": ["monday"]}]}, "rollout.windows[0].days"),
        ({"timeZone": "Mars/Olympus"}, "rollout.timeZone"),
        ({"timeZone": "../../etc/passwd"}, "rollout.timeZone"),
        ({"timeZone": ""}, "rollout.timeZone"),
        ({"gates": [{"kind": "failed", "limit": 5}]}, "rollout.gates[0].limit"),
        ({"gates": [{"kind": "latency_p95", "limit": -1}]}, "rollout.gates[0].limit"),
        ({"gates": [{"kind": "failed", "limit": 0, "minReported": 0}]}, "rollout.gates[0].minReported"),
        ({"gates": [{"kind": "failed", "limit": 0, "wave": 5}]}, "rollout.gates[0].wave"),
        ({"gates": [{"kind": "failed", "limit": 0, "wave": 0}]}, "rollout.gates[0].wave"),
        ({"offline": {"action": "stop"}, "deadlineSeconds": None}, "rollout.offline.action"),
        ({"offline": {"action": "wait", "percent": 0}}, "rollout.offline.percent"),
        ({"soakSeconds": -1}, "rollout.soakSeconds"),
        ({"deadlineSeconds": 0}, "rollout.deadlineSeconds"),
        ({"installSeconds": float("nan")}, "rollout.installSeconds"),
    ],
)
def test_what_cannot_be_followed_names_the_place(changed, where):
    with pytest.raises(LinesideError, match=r"rollout\.plan_invalid") as caught:
        check_plan(plan(**changed))
    assert caught.value.params["where"] == where


def test_the_place_is_named_as_the_caller_calls_it():
    with pytest.raises(LinesideError) as caught:
        check_plan(plan(soakSeconds=-1), at="iotJobConfiguration")
    assert caught.value.params["where"] == "iotJobConfiguration.soakSeconds"
