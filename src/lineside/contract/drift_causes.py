"""What may be behind drift: hints for a person, from which quantities went where together. Pure.

They are rules of thumb, and say so: each names the quantities it was drawn from, and several may be true at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineside.contract.drift_distance import Distance

LIGHT, DIRTY, MOVED, NEW_CLASS, SLOWER, UNSURE = (
    "light",
    "sensor_dirty",
    "camera_moved",
    "new_class",
    "slower",
    "model_unsure",
)


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One hint: what to look at, and by which quantities."""

    name: str
    sentence: str
    quantities: tuple[str, ...]


def causes(told: Mapping[str, Distance], held: Mapping[str, int] | None = None) -> tuple[Cause, ...]:
    """The hints that fit, most telling first. `held`: sides of the quantities that count (`Held.sides`); without, those
    that are far in this window."""
    sides = dict(held) if held is not None else {name: one.side for name, one in told.items() if one.side}
    found = [cause for rule in _RULES if (cause := rule(sides)) is not None]
    return tuple(sorted(found, key=lambda one: -_weight(one, told)))


def _weight(cause: Cause, told: Mapping[str, Distance]) -> float:
    """By how much its quantities are beyond their limits."""
    return max((abs(told[name].shift) - told[name].limit for name in cause.quantities if name in told), default=0.0)


def _light(sides: Mapping[str, int]) -> Cause | None:
    names = _among(sides, "brightness", "warmth", "tint")
    if not names:
        return None
    how = {1: "brighter", -1: "darker", 0: "of another colour"}[sides.get("brightness", 0)]
    return _cause(LIGHT, f"Pictures are {how} than is usual at this hour: look at lamps and exposure.", names)


def _dirty(sides: Mapping[str, int]) -> Cause | None:
    if sides.get("sharpness") != -1 or sides.get("brightness") == -1:  # a dark picture has small steps, too
        return None
    names = ("sharpness", *(("contrast",) if sides.get("contrast") == -1 else ()))
    return _cause(DIRTY, "Pictures are less sharp: the lens may be dirty or out of focus, or something moves.", names)


def _moved(sides: Mapping[str, int]) -> Cause | None:
    names = _among(sides, "place_x", "place_y", "box_area")
    if not names:
        return None
    where = "at another place" if sides.get("place_x") or sides.get("place_y") else "of another size"
    return _cause(MOVED, f"What is found is {where} in the picture: the camera or the line may have moved.", names)


def _new_class(sides: Mapping[str, int]) -> Cause | None:
    more = tuple(name for name, side in sides.items() if name.startswith("class:") and side == 1)
    if not more:
        return None
    named = ", ".join(name.removeprefix("class:") for name in sorted(more))
    return _cause(NEW_CLASS, f"There is more of {named} than is usual: another product, or a new kind of part.", more)


def _unsure(sides: Mapping[str, int]) -> Cause | None:
    if sides.get("confidence") != -1 and sides.get("detections") is None:
        return None
    names = _among(sides, "confidence", "detections")
    if _among(sides, "brightness", "warmth", "tint", "sharpness", "contrast"):
        sentence = "The model is less sure of these pictures, or finds another number of things on them."
    else:
        sentence = "Pictures look as usual, and the model answers otherwise: there may be a kind it has never learned."
    return _cause(UNSURE, sentence, names)


def _slower(sides: Mapping[str, int]) -> Cause | None:
    if sides.get("latency") != 1:
        return None
    return _cause(SLOWER, "Decisions take longer: the machine may be hot, or busy with something else.", ("latency",))


def _among(sides: Mapping[str, int], *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if sides.get(name))


def _cause(name: str, sentence: str, quantities: tuple[str, ...]) -> Cause:
    return Cause(name=name, sentence=sentence, quantities=quantities)


_RULES = (_light, _dirty, _moved, _new_class, _unsure, _slower)
