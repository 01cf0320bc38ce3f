"""A hint: something new waits for a device. It may be lost; nothing depends on it."""

from __future__ import annotations

import msgspec


class Hint(msgspec.Struct, frozen=True, omit_defaults=True):
    """`spread`: ask at a random moment within so many seconds, because many were hinted at once. Not said: at once."""

    spread: float = 0.0
