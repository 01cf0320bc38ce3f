"""One judge for one source and one model: of windows, one after the other. The device and the control plane have the
same; it reads no clock and keeps nothing on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lineside.contract.drift import DriftWindow
from lineside.contract.drift_distance import Distance, Held, Usual, distance
from lineside.contract.drift_usual import DAYS, Seen, seen, usual_of_field


class Judge:
    """Holds windows against the model's own test images until a week of them has been accepted, then against that week.

    A window is accepted when nothing is held just then: what has drifted is not taken for usual.
    """

    def __init__(
        self,
        usual: Usual | None,
        *,
        week: Sequence[Seen] = (),
        held: Held | None = None,
    ) -> None:
        """`usual`: of the model's tests (None: it brought none), or of the week that is over; `week`: as far as it is
        known."""
        self.usual, self.held = usual, held or Held()
        self.week = [] if usual is not None and usual.field else list(week)
        self.told: dict[str, Distance] = {}
        """The distances of the last window."""

    def after(self, window: DriftWindow) -> Seen | None:
        """Judges a window; what is to be kept of it for the week, if it is accepted."""
        self._end_week(window)
        self.told = distance(window, self.usual) if self.usual is not None else {}
        self.held = self.held.after(self.told)
        if self.held.sides or (self.usual is not None and self.usual.field):
            return None
        self.week.append(seen(window))
        return self.week[-1]

    def _end_week(self, window: DriftWindow) -> None:
        if not self.week or (self.usual is not None and self.usual.field):
            return
        if _moment(window.began_at) - _moment(self.week[0].began_at) < timedelta(days=DAYS):
            return
        usual = usual_of_field(window.digest, self.week)
        if usual is not None:
            self.usual, self.week = usual, []
            self.held = Held(k=self.held.k, n=self.held.n)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
