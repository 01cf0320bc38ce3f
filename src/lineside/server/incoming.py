"""Messages of programs elsewhere, signed as Standard Webhooks says: what must hold before one is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, TOLERANCE, is_signed

MOST_BYTES = 64 * 1024
_LONGEST_ID = 256


def refusal(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Why a message is not let in; None when it is signed with the key and its time is near `now` (seconds)."""
    id_, at = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not 0 < len(id_) <= _LONGEST_ID or not (at.isascii() and at.isdigit() and len(at) < 16):
        return f"it lacks {ID} or {TIMESTAMP}"
    if not is_signed(key, id_, int(at), body, headers.get(SIGNATURE, "")):
        return "its signature is not of this message"
    if abs(now - int(at)) > TOLERANCE:
        return f"its time is more than {TOLERANCE} s from ours"
    return None
