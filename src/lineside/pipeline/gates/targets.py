"""Rules about what a file needs on the devices it is meant for.

Time is measured on one thread of the worker: it finds what is far too slow. The twin test measures under the target's
own limits, and the device itself tells the truth.
"""

from __future__ import annotations

from collections.abc import Callable

from lineside.contract.gate import GateSpec
from lineside.contract.twin import Profile
from lineside.pipeline.gates.facts import Facts, Judged

_MIB = 1 << 20
_SHARE = 4  # the file is in memory twice while it loads, and needs room to work in


def latency(facts: Facts, gate: GateSpec) -> list[Judged]:
    """One image takes no longer than a target allows; without targets only a limit that was given counts."""
    measured = facts.chosen.latency_ms
    limits = _limits(facts, gate, lambda target: target.latency_p95_ms)
    return [_time(measured, limit, name) for name, limit in limits]


def size(facts: Facts, gate: GateSpec) -> list[Judged]:
    """The file is no larger than a target allows; without targets only a limit that was given counts."""
    value = round(facts.chosen.size / _MIB, 3)
    limits = _limits(facts, gate, lambda target: target.peak_memory_mib / _SHARE)
    return [
        Judged(
            value <= limit,
            value,
            limit,
            f"The file has {value:.1f} MiB; {_where(name)}{limit:.1f} are allowed.",
            about=name,
        )
        for name, limit in limits
    ]


def _limits(facts: Facts, gate: GateSpec, own: Callable[[Profile], float]) -> list[tuple[str, float]]:
    if gate.limit is not None:
        return [(target.name, gate.limit) for target in facts.targets] or [("", gate.limit)]
    return [(target.name, own(target)) for target in facts.targets]


def _time(measured: float | None, limit: float, target: str) -> Judged:
    if measured is None:
        return Judged(False, 0.0, limit, "How long an image takes was not measured.", about=target)
    sentence = f"An image takes {measured:.1f} ms on one thread of the worker; {_where(target)}{limit:.1f} are allowed."
    return Judged(measured <= limit, measured, limit, sentence, about=target)


def _where(target: str) -> str:
    return f"on {target} " if target else ""
