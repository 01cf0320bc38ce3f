"""Whether the signed metadata is still good while nothing new is wanted: the condition `trust.expired`.

Metadata is fetched when something is to be installed. A device that wants nothing looks now and then all the same, so
that a control plane that has stopped signing, or somebody who shows the device an old state of it (a freeze), is
noticed before it matters. What runs keeps running in any case; only what is new is refused.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from collections.abc import Callable

import msgspec

from lineside.agent.clock import Clock, rfc3339
from lineside.agent.database import Database
from lineside.agent.health.conditions import Conditions
from lineside.agent.link.error import LinkError
from lineside.contract.errors import ErrorReport, LinesideError

EXPIRED = "trust.expired"
LOOK_SECONDS = 6 * 3600.0
"""Between two looks while all is well; the timestamp is signed for a day."""
AGAIN_SECONDS = 300.0
"""Between two looks when it is not, or could not be seen."""
_KEY = "trust_expires"

_log = logging.getLogger(__name__)


class Freshness:
    """One device's condition `trust.expired`. Belongs to the update thread.

    `refresh` brings the metadata up to date and says when the first of it expires; None: nobody signs for this device.
    `reached`: whether the control plane answered when it was asked last.
    """

    def __init__(
        self,
        refresh: Callable[[], float] | None,
        database: Database,
        conditions: Conditions,
        clock: Clock,
        reached: Callable[[], bool],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh = refresh
        self._database = database
        self._conditions = conditions
        self._clock = clock
        self._reached = reached
        self._ticks = ticks
        self._next = ticks() + random.uniform(0.1, 1.0) * AGAIN_SECONDS  # a fleet does not look all at once

    def refreshed(self, expires: float) -> None:
        """Metadata was brought up to date for an update, and expires then."""
        self._conditions.clear(EXPIRED)
        with self._database.transaction() as rows:
            rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_KEY, msgspec.json.encode(expires)))
        self._wait(min(LOOK_SECONDS, max(AGAIN_SECONDS, expires - self._clock.time())))

    def look(self, refused: ErrorReport | None) -> None:
        """See whether it is time to look, and look. `refused`: why the wanted document is refused now, if it is.

        Raises `Superseded`, `Interrupted`.
        """
        if refused is not None and refused.code == EXPIRED:
            self._conditions.put(LinesideError(EXPIRED, **refused.params))
            return
        if self._refresh is None or self._ticks() < self._next:
            return
        self._wait(AGAIN_SECONDS)
        try:
            self.refreshed(self._refresh())
        except LinkError as error:
            _log.info("%s", error)
            self._complain()
        except LinesideError as error:
            _log.warning("%s", error)
            if error.code == EXPIRED:
                self._conditions.put(error)

    def _complain(self) -> None:
        """What is known has expired, and there is nothing newer although the control plane answers."""
        expires = self._expires()
        if expires is not None and self._clock.time() > expires and self._reached():
            self._conditions.set(EXPIRED, why=f"it was good until {rfc3339(expires)}, and there is no newer")

    def _expires(self) -> float | None:
        try:
            with self._database.reading() as rows:
                found = rows.execute("SELECT value FROM facts WHERE key = ?", (_KEY,)).fetchone()
            return None if found is None else msgspec.json.decode(found[0], type=float)
        except (sqlite3.Error, msgspec.DecodeError):
            return None

    def _wait(self, seconds: float) -> None:
        self._next = self._ticks() + seconds * random.uniform(0.8, 1.0)
