"""Attempts to sign in: after a few failures each further one waits longer, and nobody is kept out for ever.

Two counters judge an attempt: of the account it is for (whether or not anybody has that name) and of the address it
comes from. After some free failures the next attempt is refused, unseen, for 1 s, 2 s, 4 s and so on; a refused attempt
does not lengthen the wait. That alone would let somebody who keeps failing on purpose keep a person out. So a browser
that has signed in as that person before carries a stamp (OWASP calls it a device cookie), and is judged by a counter of
its own alone; and a one-time link, which an admin or whoever sits at the control plane's machine can make, is judged by
none. Counters stand in the database: a restart forgets nothing.
"""

from __future__ import annotations

import ipaddress
import math
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.server.access.people_store import AttemptsRow
from lineside.server.access.stamps import Stamps
from lineside.server.clock import Clock, parse_rfc3339, rfc3339

_KNOWN = "known browser"
KNOWN_SECONDS = 180 * 24 * 3600
"""How long a browser is remembered as one that somebody signed in with."""

_FORGOTTEN_AFTER = 24 * 3600.0  # seconds without a failure

_MADE = text(
    "INSERT INTO login_attempts (key, failures, last_at, until) VALUES (:key, 0, :now, :now) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True)
class _Limit:
    free: int  # failures that cost nothing
    longest: float  # seconds


_ACCOUNT = _Limit(free=5, longest=60.0)  # short: whoever is guessing has no say in how long a person waits
_ADDRESS = _Limit(free=20, longest=900.0)  # many people may share one
_BROWSER = _Limit(free=10, longest=60.0)


@dataclass(frozen=True)
class Attempt:
    """An attempt that was admitted, and counts as failed until it is known better."""

    counters: tuple[tuple[str, _Limit], ...]
    of_account: str  # the counter that success sets to nothing; that of an address only loses this one attempt


class Throttle:
    """Counts attempts."""

    def __init__(self, clock: Clock, stamps: Stamps) -> None:
        self._clock = clock
        self._stamps = stamps

    def admit(self, session: Session, name: str, source: str, known: str | None) -> Attempt:
        """Count an attempt before it is judged, so that many at once cannot slip through. Raises `login.too_often`."""
        attempt = self._attempt(name, source, known)
        now = self._clock.now()
        stale = rfc3339(now - timedelta(seconds=_FORGOTTEN_AFTER))
        session.execute(delete(AttemptsRow).where(AttemptsRow.last_at < stale))
        rows = [(_row(session, key, rfc3339(now)), limit) for key, limit in attempt.counters]
        wait = max((parse_rfc3339(row.until) - now).total_seconds() for row, _ in rows)
        if wait > 0:
            raise LinesideError("login.too_often", seconds=math.ceil(wait))
        for row, limit in rows:
            row.failures += 1
            row.last_at = rfc3339(now)
            row.until = rfc3339(now + timedelta(seconds=_delay(row.failures, limit)))
        session.flush()
        return attempt

    def succeeded(self, session: Session, attempt: Attempt) -> None:
        """It was no failure. The address keeps its others: one's own account must not wipe out guesses at another's."""
        self.undo(session, attempt)
        account = session.get(AttemptsRow, attempt.of_account)
        if account is not None:
            account.failures = 0

    def undo(self, session: Session, attempt: Attempt) -> None:
        """It was never judged."""
        now = rfc3339(self._clock.now())
        for key, _ in attempt.counters:
            row = session.get(AttemptsRow, key, with_for_update=True)
            if row is not None:
                row.failures = max(0, row.failures - 1)
                row.until = now

    def clear(self, session: Session, name: str) -> None:
        """Forget an account's failures: its password was chosen anew."""
        session.execute(delete(AttemptsRow).where(AttemptsRow.key == self._stamps.pseudonym("account", name)))

    def known(self, name: str) -> str:
        """A stamp for a browser that has just signed in as somebody."""
        return self._stamps.stamp(_KNOWN, {"sub": name, "jti": secrets.token_hex(8)}, KNOWN_SECONDS)

    def _attempt(self, name: str, source: str, known: str | None) -> Attempt:
        browser = self._stamps.read(_KNOWN, known)
        if browser is not None and browser.get("sub") == name:
            key = self._stamps.pseudonym("browser", str(browser["jti"]))
            return Attempt(((key, _BROWSER),), key)
        account = self._stamps.pseudonym("account", name)
        address = self._stamps.pseudonym("address", neighbourhood(source))
        counters = sorted(((account, _ACCOUNT), (address, _ADDRESS)), key=lambda each: each[0])  # one order of locks
        return Attempt(tuple(counters), account)


def _row(session: Session, key: str, now: str) -> AttemptsRow:
    session.execute(_MADE, {"key": key, "now": now})
    return session.get_one(AttemptsRow, key, with_for_update=True)


def _delay(failures: int, limit: _Limit) -> float:
    over = failures - limit.free
    return 0.0 if over <= 0 else min(limit.longest, 2.0 ** min(over - 1, 30))


def neighbourhood(source: str) -> str:
    """An address; of IPv6 the /64, since whoever has one address there has all of them."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
