"""Who knows that a device's groups want what does not go together: a room above this one, by way of `app.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy.orm import Session

from lineside.contract.errors import ErrorReport


class Conflicts(Protocol):
    """Devices that keep the document they have, and why."""

    def of(self, session: Session, devices: Sequence[str]) -> Mapping[str, ErrorReport]:
        """The conflict of each of these devices that has one."""
        ...


class NoConflicts:
    """Nobody deploys anything."""

    def of(self, session: Session, devices: Sequence[str]) -> Mapping[str, ErrorReport]:
        """None."""
        return {}
