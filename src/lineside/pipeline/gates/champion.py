"""Rules that hold a candidate against the champion: by how much it is worse, and whether that may be chance.

With d = candidate - champion, [low, high] its 95 % interval (paired bootstrap over the same pictures), x the limit:

    proof "worse" (default)   d >= -x                          passes
                              d <  -x and high < 0             says no: it is worse, and that is no chance
                              d <  -x and high >= 0, or no interval
                                                               in doubt: says no at the level `doubt` (WARN)
    proof "not worse"         low >= -x                        passes
                              low <  -x, or no interval        says no

There is no interval where fewer than five pictures have something to find. Where nothing can be compared (no common
class, or no picture of a class that was named) the rule is in doubt, too: silence is no success.
"""

from __future__ import annotations

from lineside.contract.evaluation import Comparison, Estimate
from lineside.contract.gate import GateSpec
from lineside.pipeline.gates.facts import Facts, Judged


def not_worse_than_champion(facts: Facts, gate: GateSpec) -> list[Judged]:
    """mAP50-95 over the classes that both know."""
    compared = _compared(facts, gate)
    if compared is None:
        return _uncompared(facts, gate)
    numbers = f"{compared.candidate_map:.3f} against {compared.champion_map:.3f} of {compared.champion}"
    return [_judged(compared.map, gate, f"mAP50-95 on the {compared.side} split is {numbers}")]


def per_class_not_worse(facts: Facts, gate: GateSpec) -> list[Judged]:
    """Class by class: a result for each that is worse or in doubt, else one for the class that lost most."""
    compared = _compared(facts, gate)
    if compared is None:
        return _uncompared(facts, gate)
    wanted = list(dict.fromkeys(gate.parameters["classes"]))
    judged = [
        _judged(
            one.difference,
            gate,
            f"mAP50-95 of {one.label} on the {compared.side} split is {one.candidate:.3f} against "
            f"{one.champion:.3f} of {compared.champion}",
            one.label,
        )
        for one in compared.classes
        if not wanted or one.label in wanted
    ]
    there = {one.label for one in compared.classes}
    judged += [_missing(label, compared, gate) for label in wanted if label not in there]
    worse = [one for one in judged if not one.passed]
    return worse or sorted(judged, key=lambda one: one.value)[:1]


def _compared(facts: Facts, gate: GateSpec) -> Comparison | None:
    return None if facts.evaluation is None else facts.evaluation.compared(str(gate.parameters["split"]))


def _uncompared(facts: Facts, gate: GateSpec) -> list[Judged]:
    """Nothing where there is no champion."""
    if facts.champion is None:
        return []
    split = gate.parameters["split"]
    return [_in_doubt(gate, f"On the {split} split nothing can be compared with {facts.champion}.", "")]


def _missing(label: str, compared: Comparison, gate: GateSpec) -> Judged:
    """A class that was named and is not compared; one that only the champion knows is lost, and that is no doubt."""
    if label in compared.only_champion:
        return _no(gate, f"{compared.champion} knows {label}, and this model does not.", label)
    if label in compared.only_candidate:
        return _in_doubt(gate, f"{compared.champion} does not know {label}: nothing can be compared.", label)
    return _in_doubt(gate, f"The {compared.side} split has no {label} to compare by.", label)


def _no(gate: GateSpec, sentence: str, about: str, level: str = "") -> Judged:
    return Judged(False, 0.0, -(gate.limit or 0.0), sentence, about, level)


def _in_doubt(gate: GateSpec, sentence: str, about: str) -> Judged:
    return _no(gate, sentence, about, "" if gate.parameters["proof"] == "not worse" else str(gate.parameters["doubt"]))


def _judged(told: Estimate, gate: GateSpec, what: str, about: str = "") -> Judged:
    limit, value = gate.limit or 0.0, told.value
    interval = f"; 95 % interval {told.low:+.3f} to {told.high:+.3f}" if told.low is not None else ""
    numbers = f"{what} ({value:+.3f}{interval})"
    if gate.parameters["proof"] == "not worse":
        passed = told.low is not None and told.low >= -limit
        rest = "shown" if passed else "not shown"
        return Judged(passed, value, -limit, f"{numbers}: it is {rest} to be worse by no more than {limit:.3f}.", about)
    if value >= -limit:
        return Judged(True, value, -limit, f"{numbers}: a fall of {limit:.3f} is allowed.", about)
    if told.high is not None and told.high < 0:
        return Judged(False, value, -limit, f"{numbers}: worse by more than the {limit:.3f} allowed.", about)
    doubt = f"{numbers}: more than the {limit:.3f} allowed, but it may be chance; more such pictures would tell."
    return Judged(False, value, -limit, doubt, about, str(gate.parameters["doubt"]))
