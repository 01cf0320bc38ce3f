"""Detections of one frame, and of those before it, to the rules that fire."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lineside.contract.result import Detection, Fired
from lineside.runtime.rules.polygon import contains
from lineside.runtime.rules.settings import Anchor, RuleSettings, Unit, check_rule

Size = tuple[float, float]


@dataclass(slots=True)
class _Past:
    """What a rule remembers of one source: which of the last frames met it, and whether it held at the last one."""

    met: deque[bool]
    held: bool = False


@dataclass(slots=True)
class _Rule:
    name: str
    settings: RuleSettings
    past: dict[str, _Past] = field(default_factory=dict)

    def of(self, source: str) -> _Past:
        return self.past.setdefault(source, _Past(deque(maxlen=self.settings.frames[1])))


class Rules:
    """The rules of one route. Remembers the last frames of each source; called in their order, by one thread."""

    def __init__(self, settings: Mapping[str, RuleSettings], labels: Sequence[str] | None = None) -> None:
        """`labels`: the model's classes, so that a rule for one that it does not know is refused. Raises
        `rules.invalid`."""
        for name, rule in settings.items():
            check_rule(name, rule, labels)
        self._rules = [_Rule(name, rule) for name, rule in settings.items()]

    def judge(
        self,
        source: str,
        detections: Sequence[Detection],
        captured_at: float,
        decided_at: float | None = None,
        size: Size | None = None,
    ) -> tuple[Fired, ...]:
        """What fires at this frame. Times in seconds since 1970; without `decided_at` nothing is late. `size`: width
        and height of the original picture, which zones and areas in shares need."""
        seconds = 0.0 if decided_at is None else decided_at - captured_at
        fired = (_judged(rule, source, detections, seconds, size) for rule in self._rules)
        return tuple(one for one in fired if one is not None)


def _judged(
    rule: _Rule, source: str, detections: Sequence[Detection], seconds: float, size: Size | None
) -> Fired | None:
    settings, past = rule.settings, rule.of(source)
    count = sum(_counts(settings, one, size) for one in detections)
    past.met.append(settings.at_least <= count and (settings.at_most is None or count <= settings.at_most))
    met, began = sum(past.met), not past.held
    past.held = met >= settings.frames[0]
    if not past.held or not (settings.repeat or began):
        return None
    deadline = settings.deadline_ms
    late = deadline is not None and seconds * 1000 > deadline
    why = _why(settings, count, met, len(past.met))
    return Fired(name=rule.name, action=settings.action, why=why, late=late, deadline_ms=deadline)


def _counts(rule: RuleSettings, found: Detection, size: Size | None) -> bool:
    """Whether a detection is one that the rule looks for."""
    if rule.classes and found.label not in rule.classes:
        return False
    if not rule.confidence[0] <= found.confidence <= rule.confidence[1]:
        return False
    wide, high = (1.0, 1.0) if rule.unit is Unit.PIXELS or size is None else size
    if rule.area is not None and not rule.area[0] <= found.width * found.height / (wide * high) <= rule.area[1]:
        return False
    if not rule.zone:
        return True
    down = found.height / 2 if rule.anchor is Anchor.CENTRE else found.height
    return contains(rule.zone, ((found.x + found.width / 2) / wide, (found.y + down) / high))


def _why(rule: RuleSettings, count: int, met: int, looked_at: int) -> str:
    what = " or ".join(rule.classes) or "detections"
    where = " in the zone" if rule.zone else ""
    window = f", in {met} of the last {looked_at} frames" if rule.frames[1] > 1 else ""
    return f"{count} of {what}{where}{window}."
