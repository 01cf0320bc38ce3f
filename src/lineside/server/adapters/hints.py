"""What a hint says: within how many seconds devices that were hinted at once ask, so that ten thousand do not at once.

`{"spread": 33.3}`, or `{}`: at once. An agent that does not know the word asks at once.
"""

from __future__ import annotations

import msgspec

from lineside.contract.hint import Hint

ASKING = 300.0
"""Devices that ask within a second after a hint to many, about."""
_AT_ONCE = 30  # devices whose questions are no burst


def payload_for(devices: int) -> bytes:
    """The payload of a hint that goes to so many devices at the same time."""
    hint = Hint() if devices <= _AT_ONCE else Hint(round(devices / ASKING, 1))
    return msgspec.json.encode(hint)
