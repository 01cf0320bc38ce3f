"""Of many candidates for a budget that runs short, the surest: the rest of it is not spent on whoever comes first."""

from __future__ import annotations

from collections import deque

_LAST = 600  # candidates that say what is sure
_FEW = 20  # too few to say
_EAGER = 0.5  # while so much of the budget is left, everyone is kept


class Surest:
    """The emptier the budget, the surer a candidate has to be: with a quarter left among the surest quarter of the last
    ones, with a tenth among the surest 4 %. Where more come than it can hold, what is left settles where the budget
    fills again as fast as it is spent, and the surest of the stream are kept, evenly over time."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_LAST)

    def short_of(self, sureness: float, left: float) -> str:
        """Empty when this candidate is sure enough for a budget of which the share `left` is there; else why not. Every
        candidate is to be shown once."""
        share, least = (left / _EAGER) ** 2, 0.0
        if share < 1.0 and len(self._seen) >= _FEW:
            least = sorted(self._seen, reverse=True)[int(share * len(self._seen))]
        self._seen.append(sureness)
        if sureness >= least:
            return ""
        return f"{left:.0%} of it is left, for the surest {share:.1%}, from a confidence of {least:.2f} on"
