"""What a rule is told, and what is wrong with it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite

import msgspec

from lineside.contract.errors import LinesideError

LONGEST_WINDOW = 1000
"""Frames that a rule can look back."""

_MOST_CORNERS = 100
_LONGEST_NAME = 64


class Anchor(enum.Enum):
    """The point of a box that must lie in the zone."""

    CENTRE = "centre"
    BOTTOM = "bottom"  # the middle of the lower edge: where something stands


class Unit(enum.Enum):
    """What areas and zones are measured in."""

    PIXELS = "pixels"  # of the original picture, as detections are
    SHARES = "shares"  # of the picture: areas of its area, corners of its width and height


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When `action` is asked for. A detection counts when its class, confidence, area and place are as wanted; the
    rule is met by a frame with `at_least` to `at_most` such detections, and fires when so many of the last frames of
    the same source met it: `frames: [3, 5]` is three of five. Every key may be left out."""

    action: str = "reject"
    classes: tuple[str, ...] = ()  # none named: any
    confidence: tuple[float, float] = (0.0, 1.0)  # from, to
    area: tuple[float, float] | None = None  # of the box: from, to
    zone: tuple[tuple[float, float], ...] = ()  # corners of a polygon; its edge belongs to it
    anchor: Anchor = Anchor.CENTRE
    unit: Unit = Unit.PIXELS
    at_least: int = 1
    at_most: int | None = None
    frames: tuple[int, int] = (1, 1)
    repeat: bool = True  # false: once when it begins, and not again before it has ended
    deadline_ms: float | None = None  # after the picture was taken; a later event is marked late


def check_rule(name: str, rule: RuleSettings, labels: Sequence[str] | None = None) -> None:
    """Raises `rules.invalid` with the key that is wrong. `labels`: the classes there are, where that is known."""
    for key, why in _faults(name, rule, labels):
        if why:
            raise LinesideError("rules.invalid", rule=name[:_LONGEST_NAME], key=key, why=why)


def _faults(name: str, rule: RuleSettings, labels: Sequence[str] | None) -> list[tuple[str, str]]:
    return [
        (
            "name",
            "" if 0 < len(name) <= _LONGEST_NAME and name.isprintable() else "it is empty, too long or unprintable",
        ),
        ("action", "" if rule.action.strip() else "it is empty"),
        ("classes", _unknown(rule.classes, labels)),
        ("confidence", _range(rule.confidence, 1.0)),
        ("area", "" if rule.area is None else _range(rule.area, 1.0 if rule.unit is Unit.SHARES else None)),
        ("zone", _zone(rule)),
        ("at_least", "" if rule.at_least >= 0 else "it is below 0"),
        ("at_most", "" if rule.at_most is None or rule.at_most >= rule.at_least else "it is below at_least"),
        ("at_least", "" if rule.at_least > 0 or rule.at_most is not None else "with 0, at_most must be given"),
        ("frames", _frames(*rule.frames)),
        ("deadline_ms", "" if rule.deadline_ms is None or 0 < rule.deadline_ms < float("inf") else "it is no time"),
    ]


def _unknown(classes: Sequence[str], labels: Sequence[str] | None) -> str:
    for one in classes:
        if labels is not None and one not in labels:
            near = get_close_matches(one, labels, 1)
            return f"the model has no class {one!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return ""


def _range(span: tuple[float, float], most: float | None) -> str:
    low, high = span
    if not (isfinite(low) and isfinite(high) and 0 <= low <= high):
        return "it must be [from, to] with 0 <= from <= to"
    return f"it goes beyond {most:g}" if most is not None and high > most else ""


def _zone(rule: RuleSettings) -> str:
    corners = rule.zone
    if not corners:
        return ""
    if not 3 <= len(corners) <= _MOST_CORNERS:
        return f"it has {len(corners)} corners, not 3 to {_MOST_CORNERS}"
    if not all(isfinite(x) and isfinite(y) and x >= 0 and y >= 0 for x, y in corners):
        return "a corner lies outside of every picture"
    if rule.unit is Unit.SHARES and any(x > 1 or y > 1 for x, y in corners):
        return "a corner lies outside of the picture: shares go from 0 to 1"
    ring = [*corners, corners[0]]
    if sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) == 0:
        return "it has no area"
    return ""


def _frames(needed: int, looked_at: int) -> str:
    good = 1 <= needed <= looked_at <= LONGEST_WINDOW
    return "" if good else f"it must be [n, m] with 1 <= n <= m <= {LONGEST_WINDOW}"
