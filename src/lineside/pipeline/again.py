"""Which failures of a step deserve another try, and when: those that go away by themselves.

Ours and not DBOS's: what is tried again, when and why stands on the run's page and in its log, the last error stays
itself, and the pauses are the same for every step.
"""

from __future__ import annotations

import errno

from lineside.contract.errors import Kind, LinesideError

PAUSES = (2.0, 8.0, 30.0, 60.0)
"""Seconds before the second, third, … try of a step; after the last it has failed."""

_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EDQUOT,
        errno.EINTR,
        errno.EMFILE,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENOSPC,  # somebody makes room
        errno.EPIPE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_PASSING_CODES = frozenset({"blob.digest_mismatch"})  # garbled on its way: another transfer may be whole


def deserves(failure: Exception) -> bool:
    """Whether doing the same again may end otherwise. A refusal, or a mistake in code or data, does not."""
    if isinstance(failure, LinesideError):
        return failure.kind in (Kind.UNAVAILABLE, Kind.TOO_MANY) or failure.code in _PASSING_CODES
    if isinstance(failure, ConnectionError | TimeoutError | MemoryError):
        return True
    return isinstance(failure, OSError) and failure.errno in _PASSING
