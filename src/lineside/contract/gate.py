"""Gates of a model version, as a run asks for them: a named rule, what it does when it says no, and its limit."""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class Level(enum.Enum):
    """What a gate that says no does."""

    BLOCK = "BLOCK"  # the version is gated out, the run ends with its own exit code
    WARN = "WARN"  # whoever approves it should know


class GateSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One gate of a run: `rule` is a name of `lineside.pipeline.gates`; what is absent has the rule's default."""

    rule: str
    level: Level | None = None
    limit: float | None = None
    parameters: dict[str, Any] = {}


class CostRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the score threshold is chosen on the val split: a missed object costs as much as `missed` false alarms."""

    missed: float = 1.0
