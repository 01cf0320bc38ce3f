"""Which variant ships: the smallest that passes; each says why it does or does not. fp32 is the ladder's last rung.

Times decide only where they leave no doubt: a share of fp32's time counts with the 95 % interval that its rounds leave
(`lineside.pipeline.timing`). A variant that may or may not be fast enough is timed on; one that stays in doubt does not
ship.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineside.contract.model import Timing, Variant

FP32 = "fp32"
_MOST_TIME = {"fp16": 1.25}
"""Time as a share of fp32's that a variant may take: fp16 brings a smaller file and computes the same, so only a
difference that no two measurements of one file have counts."""
_MUST_GAIN = 0.95  # any other variant must be faster


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant must meet: a fall of mAP50-95 on val at most, and a time for one image on each target."""

    max_drop: float
    latency_ms: dict[str, float] = {}  # by target


def with_timing(variant: Variant, timing: Timing) -> Variant:
    """The variant with how long it took."""
    return msgspec.structs.replace(variant, latency_ms=timing.ms, timing=timing)


def in_doubt(name: str, timing: Timing) -> bool:
    """Whether more rounds could tell if a variant is fast enough."""
    return name != FP32 and timing.share_low <= _most(name) < timing.share_high


def choose(variants: Sequence[Variant], rules: Rules) -> tuple[Variant, ...]:
    """The variants, all of them timed, with `chosen` and `reason` set, the one that ships chosen (of two as small, the
    first, unless the other is quicker beyond doubt); fp32 must be among them.

    What a variant's `reason` said so far (how it was made) stays at its end.
    """
    fp32 = next(variant for variant in variants if variant.name == FP32)
    objections = {v.name: objection(fp32, v, rules) for v in variants if v.name != FP32}
    chosen = _smallest([v for v in variants if v.name != FP32 and not objections[v.name]]) or fp32

    def told(variant: Variant) -> Variant:
        ships = variant.name == chosen.name
        if ships and variant.name == FP32:
            words = _last_rung(objections)
        elif ships:
            words = f"{variant.name} ships, the smallest that passes: {_compared(fp32, variant)}; a fall of "
            words += f"{rules.max_drop:.3f} is allowed."
        elif objections.get(variant.name):
            words = f"Not chosen: {objections[variant.name]}."
        else:
            words = f"Not chosen: {chosen.name} passes and is {_better(chosen, variant)}."
        return msgspec.structs.replace(variant, chosen=ships, reason=f"{words} {variant.reason}".strip())

    return tuple(told(variant) for variant in variants)


def objection(fp32: Variant, variant: Variant, rules: Rules) -> str:
    """Why a variant cannot ship, or nothing."""
    before, after = fp32.metrics.get("val"), variant.metrics.get("val")
    if before is None or after is None:
        return "there are no val pictures to compare it on"
    scores = f"mAP50-95 on val goes from {before.map:.3f} to {after.map:.3f}"
    if before.map - after.map > rules.max_drop:
        return f"{scores}, more than the {rules.max_drop:.3f} allowed ({_times(fp32, variant)})"
    late = _slow(variant)
    if late:
        return f"{late}, {_times(fp32, variant)} ({scores})"
    missed = [(target, limit) for target, limit in rules.latency_ms.items() if _of(variant).ms > limit]
    return ", ".join(f"it takes {variant.latency_ms} ms, and {target} allows {limit:g} ms" for target, limit in missed)


def _slow(variant: Variant) -> str:
    """Why it is not fast enough, or nothing."""
    timing, most = _of(variant), _most(variant.name)
    word = "slower" if variant.name in _MOST_TIME else "no faster"
    if timing.share > most:
        return f"it is {word}"
    return f"it may be {word}: what is measured leaves that in doubt" if timing.share_high > most else ""


def _most(name: str) -> float:
    return _MOST_TIME.get(name, _MUST_GAIN)


def _of(variant: Variant) -> Timing:
    if variant.timing is None:
        raise ValueError(f"{variant.name} was not timed beside fp32")
    return variant.timing


def _smallest(passing: Sequence[Variant]) -> Variant | None:
    least = min((variant.size for variant in passing), default=0)
    chosen: Variant | None = None
    for variant in passing:
        if variant.size == least and (chosen is None or _of(variant).share_high < _of(chosen).share_low):
            chosen = variant
    return chosen


def _better(chosen: Variant, variant: Variant) -> str:
    if chosen.size < variant.size:
        return f"smaller ({chosen.size} against {variant.size} bytes)"
    return f"as small, and no slower as far as times tell ({chosen.latency_ms} ms against {variant.latency_ms} ms)"


def _compared(fp32: Variant, variant: Variant) -> str:
    scores = [f"{one.metrics['val'].map:.3f}" for one in (fp32, variant)]
    return f"{_times(fp32, variant)}, mAP50-95 on val from {scores[0]} to {scores[1]}"


def _times(fp32: Variant, variant: Variant) -> str:
    """Times beside one another, and the share with its interval."""
    timing = _of(variant)
    share = f"{timing.share:.2f} of its time, {timing.share_low:.2f} to {timing.share_high:.2f}"
    return f"{variant.latency_ms} ms against {fp32.latency_ms} ms ({share}, in {timing.rounds} rounds)"


def _last_rung(objections: dict[str, str]) -> str:
    whys = [f"{name}: {why}" for name, why in objections.items()]
    return (
        f"fp32 ships: nothing smaller passes ({'; '.join(whys)})." if whys else "fp32 ships: nothing smaller was made."
    )
