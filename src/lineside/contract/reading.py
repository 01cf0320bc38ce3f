"""What reading JSON that somebody else wrote may raise: more than its documentation says."""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Not JSON or not of the wanted shape; not UTF-8; nested deeper than Python goes. `msgspec.json.decode` raises all."""
