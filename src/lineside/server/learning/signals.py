"""What a loop looks at beside the clock, new data and messages: pictures people reviewed, drift, accuracy in the field.

Rooms that know these stand above this one; the app hands them in (`Loops.signals`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from sqlalchemy.orm import Session

from lineside.contract.loop import LoopDocument


class FieldAccuracy(NamedTuple):
    """What a model is worth in the field, by reviews of the random sample; `value` is None for too few of them."""

    value: float | None
    reviews: int
    enough: int


class Signals(Protocol):
    """Answers in the reader's transaction. The fake is `NoSignals`."""

    def reviewed(self, session: Session, model: str, since: str) -> int:
        """How many pictures that a model's devices kept were reviewed since a moment (RFC 3339)."""
        ...

    def drift(self, session: Session, model: str) -> str:
        """Where drift of a model is held, in words; empty where it is not."""
        ...

    def field_accuracy(self, session: Session, model: str) -> FieldAccuracy:
        """Of the newest version of a model that runs in the field."""
        ...


class NoSignals:
    """Nothing is known."""

    def reviewed(self, session: Session, model: str, since: str) -> int:
        """None."""
        return 0

    def drift(self, session: Session, model: str) -> str:
        """Nowhere."""
        return ""

    def field_accuracy(self, session: Session, model: str) -> FieldAccuracy:
        """Of no review."""
        return FieldAccuracy(None, 0, 1)


class Sign(NamedTuple):
    """One trigger: whether it holds now, and how far it is."""

    holds: bool
    said: str


def signs(session: Session, signals: Signals, document: LoopDocument, since: str) -> Iterator[Sign]:
    """What the triggers of a loop say that hold for as long as something is so; `since`: when its last run began, or
    when it was made."""
    triggers, model = document.triggers, document.model or document.name
    if triggers.reviewed is not None:
        count = signals.reviewed(session, model, since)
        yield Sign(count >= triggers.reviewed, f"{count} of {triggers.reviewed} pictures reviewed since {since[:16]}Z")
    if triggers.drift:
        where = signals.drift(session, model)
        yield Sign(bool(where), f"drift: {where or 'none is held'}")
    if triggers.field_accuracy is not None:
        yield _field(signals.field_accuracy(session, model), triggers.field_accuracy)


def _field(found: FieldAccuracy, line: float) -> Sign:
    if found.value is None:
        return Sign(False, f"field accuracy: too few reviews of the random sample ({found.reviews} of {found.enough})")
    below = found.value < line
    words = "is below" if below else "is not below"
    return Sign(below, f"field accuracy {found.value:.3f} {words} {line:g}, of {found.reviews} reviews")
