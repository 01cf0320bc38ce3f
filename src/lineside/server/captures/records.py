"""Capture records as JSON lines, for whoever reads them elsewhere: a `CaptureRecord` a line, as its device made it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineside.contract.capture import CaptureFilter
from lineside.server.captures.service import CapturesService

_AT_ONCE = 1000


def lines(captures: CapturesService, which: CaptureFilter) -> Iterator[bytes]:
    """Records of uploaded captures, newest first, a thousand in memory at a time; what arrives meanwhile is not among
    them."""
    before: str | None = None
    while True:
        found = captures.page(which, 0, _AT_ONCE, before)
        yield b"".join(msgspec.json.encode(one.record) + b"\n" for one in found.captures)
        before = found.next
        if before is None:
            return
