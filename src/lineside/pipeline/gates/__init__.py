"""Gates: named rules a model version is judged by, each stored with its numbers.

BLOCK: the model can never be approved. WARN: whoever approves it should know. A rule has its row in
`lineside.contract.gate.RULES` (what it is called, its defaults) and its function in `JUDGES`.
"""

from __future__ import annotations

from collections.abc import Callable

from lineside.contract.gate import RULES, GateSpec, Level, resolve
from lineside.contract.model import GateResult
from lineside.pipeline.gates import champion, scores, targets
from lineside.pipeline.gates.facts import Facts, Judged

__all__ = ["JUDGES", "Facts", "blocked", "judge"]

JUDGES: dict[str, Callable[[Facts, GateSpec], list[Judged]]] = {
    "minimum_map": scores.minimum_map,
    "minimum_test_images": scores.minimum_test_images,
    "class_floor": scores.class_floor,
    "not_worse_than_champion": champion.not_worse_than_champion,
    "per_class_not_worse": champion.per_class_not_worse,
    "int8_drop": scores.int8_drop,
    "latency": targets.latency,
    "size": targets.size,
    "scored": scores.scored,
}
"""What each rule asks. A rule answers nothing when there is nothing to judge."""


def judge(facts: Facts) -> tuple[GateResult, ...]:
    """Every rule that applies, in the table's order; what is about one class or target is named `rule/class`."""
    limits = {
        "minimum_map": facts.limits.min_map,
        "minimum_test_images": facts.limits.min_test_images,
        "int8_drop": facts.limits.max_int8_drop,
    }
    return tuple(
        _result(gate, judged) for gate in resolve(facts.gates, limits) for judged in JUDGES[gate.rule](facts, gate)
    )


def blocked(gates: tuple[GateResult, ...]) -> bool:
    """Whether a BLOCK gate said no."""
    return any(gate.level == Level.BLOCK.value and not gate.passed for gate in gates)


def _result(gate: GateSpec, judged: Judged) -> GateResult:
    level = gate.level or RULES[gate.rule].level
    return GateResult(
        name=f"{gate.rule}/{judged.about}" if judged.about else gate.rule,
        level=judged.level or level.value,
        passed=judged.passed,
        value=judged.value,
        limit=judged.limit,
        sentence=judged.sentence,
    )
