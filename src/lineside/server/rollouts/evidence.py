"""Evidence as a port: what rollouts ask about results, which a room above keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from lineside.contract.rollout import GateKind


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number about a wave: `value` in the unit of its gate (`contract.rollout.GateKind`), from how many devices."""

    kind: GateKind
    value: float
    reported: int


class Evidence(Protocol):
    """What the results of devices say."""

    def measure(self, session: Session, rollout: int, wave: int) -> tuple[Measured, ...]:
        """The numbers of one wave of a rollout since its devices were told, as far as there are any: latency, missing
        results, shift of confidences and of classes, disagreement. A number that cannot be known is left out."""
        ...


class NoEvidence:
    """Nobody keeps results: gates that want them stay unknown."""

    def measure(self, session: Session, rollout: int, wave: int) -> tuple[Measured, ...]:
        """Nothing."""
        return ()
