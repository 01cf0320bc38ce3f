"""Which variant ships: the smallest that passes; each says why it does or does not. fp32 is the ladder's last rung."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineside.contract.model import Variant

FP32 = "fp32"
_MOST_TIME = {"fp16": 1.25}
"""Time as a share of fp32's that a variant may take: fp16 brings a smaller file and computes the same, so only a
difference that no two measurements of one file have counts."""
_MUST_GAIN = 0.95  # any other variant must be faster


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant must meet: a fall of mAP50-95 on val at most, and a time for one image on each target."""

    max_drop: float
    latency_ms: dict[str, float] = {}  # by target


def choose(variants: Sequence[Variant], rules: Rules) -> tuple[Variant, ...]:
    """The variants with `chosen` and `reason` set, the one that ships chosen (of two as small, the quicker); fp32 must
    be among them.

    What a variant's `reason` said so far (how it was made) stays at its end.
    """
    fp32 = next(variant for variant in variants if variant.name == FP32)
    objections = {v.name: objection(fp32, v, rules) for v in variants if v.name != FP32}
    passing = [v for v in variants if v.name != FP32 and not objections[v.name]]
    chosen = min(passing, key=lambda v: (v.size, v.latency_ms or 0.0), default=fp32)

    def told(variant: Variant) -> Variant:
        ships = variant.name == chosen.name
        if ships and variant.name == FP32:
            words = _last_rung(objections)
        elif ships:
            words = f"{variant.name} ships, the smallest that passes: {compared(fp32, variant)}; a fall of "
            words += f"{rules.max_drop:.3f} is allowed."
        elif objections.get(variant.name):
            words = f"Not chosen: {objections[variant.name]}."
        else:
            words = f"Not chosen: {chosen.name} passes and is {_better(chosen, variant)}."
        return msgspec.structs.replace(variant, chosen=ships, reason=f"{words} {variant.reason}".strip())

    return tuple(told(variant) for variant in variants)


def _better(chosen: Variant, variant: Variant) -> str:
    if chosen.size < variant.size:
        return f"smaller ({chosen.size} against {variant.size} bytes)"
    return f"as small and no slower ({chosen.latency_ms} ms against {variant.latency_ms} ms)"


def objection(fp32: Variant, variant: Variant, rules: Rules) -> str:
    """Why a variant cannot ship, or nothing."""
    before, after = fp32.metrics.get("val"), variant.metrics.get("val")
    if before is None or after is None:
        return "there are no val pictures to compare it on"
    scores = f"mAP50-95 on val goes from {before.map:.3f} to {after.map:.3f}"
    times = f"{variant.latency_ms} ms against {fp32.latency_ms} ms"
    if before.map - after.map > rules.max_drop:
        return f"{scores}, more than the {rules.max_drop:.3f} allowed ({times})"
    share = (variant.latency_ms or 0.0) / (fp32.latency_ms or 1.0)
    if share > _MOST_TIME.get(variant.name, _MUST_GAIN):
        word = "slower" if variant.name in _MOST_TIME else "no faster"
        return f"it is {word}, {times} ({scores})"
    late = [(target, limit) for target, limit in rules.latency_ms.items() if (variant.latency_ms or 0.0) > limit]
    return ", ".join(f"it takes {variant.latency_ms} ms, and {target} allows {limit:g} ms" for target, limit in late)


def compared(fp32: Variant, variant: Variant) -> str:
    """Time and score beside fp32's."""
    scores = [f"{one.metrics['val'].map:.3f}" for one in (fp32, variant)]
    return f"{variant.latency_ms} ms against {fp32.latency_ms} ms, mAP50-95 on val from {scores[0]} to {scores[1]}"


def _last_rung(objections: dict[str, str]) -> str:
    whys = [f"{name}: {why}" for name, why in objections.items()]
    return (
        f"fp32 ships: nothing smaller passes ({'; '.join(whys)})." if whys else "fp32 ships: nothing smaller was made."
    )
