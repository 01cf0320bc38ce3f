"""A report of twins on which everything went well, for tests of what follows from it."""

from __future__ import annotations

from typing import Any

from lineside.contract.approval import TwinOutcome, TwinReport
from lineside.contract.twin import ENDED, StageResult, TwinCheck, TwinState

CHECKS = (
    TwinCheck(name="golden inputs", value=1.0),
    TwinCheck(name="peak memory of tags.inference", value=120.0, limit=4096.0, unit="MiB"),
    TwinCheck(name="latency p50 of tags.inference", value=20.0, unit="ms"),
    TwinCheck(name="latency p95 of tags.inference", value=40.0, limit=500.0, unit="ms"),
    TwinCheck(name="restarts", value=0.0, limit=0.0),
    TwinCheck(name="rolled back", value=0.0, limit=0.0),
    TwinCheck(name="reinstalled", value=0.0, limit=0.0),
)
OUTCOME = TwinOutcome(device="twin-1", progress="healthy", profile="generic-x86", limits="cgroup v1", checks=CHECKS)


def twin_report(**fields: Any) -> TwinReport:
    """The report; `fields` name at least its model, digest, rollout and recipes."""
    stages = (StageResult(stage=one, seconds=1.0, passed=True, why="well") for one in TwinState if one not in ENDED)
    values: dict[str, Any] = {
        "state": "succeeded",
        "finished_at": None,
        "twins": (OUTCOME,),
        "stages": tuple(stages),
    }
    return TwinReport(**values | fields)
