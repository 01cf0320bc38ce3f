"""Gates a model version must pass, as a run asks for them: a named rule, what happens when it says no, its limit."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError


class Level(enum.Enum):
    """What a gate that says no does."""

    BLOCK = "BLOCK"  # the version is gated out, the run ends with its own exit code
    WARN = "WARN"  # whoever approves it should know


class GateSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One gate of a run: `rule` is one of `RULES`; what is absent has the rule's default."""

    rule: str
    level: Level | None = None
    limit: float | None = None
    parameters: dict[str, Any] = {}


class CostRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the score threshold is chosen on the val split: a missed object costs as much as `missed` false alarms."""

    missed: float = 1.0


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of gate: its defaults, whether every run has it, and what it asks."""

    level: Level
    limit: float | None  # None: each target has its own
    always: bool
    parameters: dict[str, Any] = {}
    words: str


SPLITS = ("test", "field", "val")
"""Where a score may be judged: the frozen test side, the field set, the val side."""

COMPARED = ("test", "field")
"""Where a candidate is held against the champion: never where it was chosen."""

DOUBTS = tuple(level.value for level in Level)
PROOFS = ("worse", "not worse")
"""What must be shown: that the candidate is worse, for the gate to say no; or that it is not, for it to say yes."""

_AGAINST = {"split": "test", "proof": "worse", "doubt": Level.WARN.value}

RULES: dict[str, Rule] = {
    "minimum_map": Rule(
        level=Level.BLOCK,
        limit=0.40,
        always=True,
        parameters={"split": "test"},
        words="mAP50-95 of what ships is at least the limit",
    ),
    "minimum_test_images": Rule(
        level=Level.BLOCK,
        limit=5,
        always=True,
        parameters={"split": "test"},
        words="it was scored on at least so many pictures",
    ),
    "class_floor": Rule(
        level=Level.BLOCK,
        limit=0.20,
        always=False,
        parameters={"split": "test", "classes": []},
        words="mAP50-95 of each class, or of those named, is at least the limit",
    ),
    "not_worse_than_champion": Rule(
        level=Level.BLOCK,
        limit=0.02,
        always=True,
        parameters=_AGAINST,
        words="mAP50-95 is not below the champion's by more than the limit",
    ),
    "per_class_not_worse": Rule(
        level=Level.BLOCK,
        limit=0.05,
        always=True,
        parameters={**_AGAINST, "classes": []},
        words="no class, or none of those named, is below the champion's by more than the limit",
    ),
    "int8_drop": Rule(
        level=Level.WARN,
        limit=0.02,
        always=True,
        words="INT8 loses no more mAP50-95 on the val side than the limit",
    ),
    "latency": Rule(
        level=Level.WARN,
        limit=None,
        always=True,
        words="one image on one thread of the worker takes no more ms than the limit, or than each target's p95",
    ),
    "size": Rule(
        level=Level.WARN,
        limit=None,
        always=True,
        words="the file has no more MiB than the limit, or than a quarter of what a component may use on each target",
    ),
    "scored": Rule(level=Level.WARN, limit=1.0, always=True, words="there was a dataset to score it on"),
}
"""Every rule, in the order in which results are stored."""


def resolve(gates: Sequence[GateSpec], limits: Mapping[str, float] = {}) -> tuple[GateSpec, ...]:
    """The gates of a run: those asked for, and every built-in rule that was not asked for otherwise, all complete.

    `limits` replaces defaults of rules; a limit that a gate itself has counts more.
    """
    asked = {gate.rule for gate in gates}
    built_in = [GateSpec(rule=name) for name, rule in RULES.items() if rule.always and name not in asked]
    order = list(RULES)
    return tuple(
        _complete(gate, limits) for gate in sorted([*gates, *built_in], key=lambda gate: order.index(gate.rule))
    )


def check_gates(
    gates: Iterable[GateSpec],
    targets: Iterable[str],
    known: Iterable[str],
    cost: CostRule | None,
    *,
    field: bool = False,
) -> None:
    """Refuse what no run could be judged by; `known` are the targets there are; `field`: it has a field set.

    Raises `gate.rule_unknown`, `gate.parameter_invalid`, `gate.target_unknown`, `gate.cost_invalid`.
    """
    for gate in gates:
        if gate.rule not in RULES:
            raise LinesideError("gate.rule_unknown", rule=gate.rule[:80], known=", ".join(RULES))
        _check(gate, field)
    there = list(known)
    for target in targets:
        if target not in there:
            raise LinesideError("gate.target_unknown", target=target[:80], known=", ".join(there))
    if cost is not None and not (math.isfinite(cost.missed) and 0 < cost.missed <= 1e6):
        raise LinesideError("gate.cost_invalid", missed=cost.missed)


def _complete(gate: GateSpec, limits: Mapping[str, float]) -> GateSpec:
    rule = RULES[gate.rule]
    return GateSpec(
        rule=gate.rule,
        level=gate.level or rule.level,
        limit=limits.get(gate.rule, rule.limit) if gate.limit is None else gate.limit,
        parameters=rule.parameters | gate.parameters,
    )


def _check(gate: GateSpec, field: bool) -> None:
    if gate.limit is not None and not math.isfinite(gate.limit):
        raise LinesideError("gate.parameter_invalid", rule=gate.rule, name="limit", why="it is not a number")
    for name, value in gate.parameters.items():
        known = name in RULES[gate.rule].parameters
        why = _wrong(gate.rule, name, value, field) if known else "the rule has no such parameter"
        if why:
            raise LinesideError("gate.parameter_invalid", rule=gate.rule, name=name[:80], why=why)


def _wrong(rule: str, name: str, value: Any, field: bool) -> str:
    if name == "classes":
        good = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return "" if good else "it must be a list of classes"
    splits = COMPARED if "proof" in RULES[rule].parameters else SPLITS
    allowed = {"split": splits, "proof": PROOFS, "doubt": DOUBTS}[name]
    if value not in allowed:
        return f"it must be one of {', '.join(allowed)}"
    return "the run has no field set" if name == "split" and value == "field" and not field else ""
