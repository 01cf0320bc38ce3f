"""Captures as a runtime leaves them for the agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of


def kept(
    folder: Path,
    name: str,
    data: bytes = b"image",
    stored: bytes | None = None,
    write: Callable[[CaptureRecord], bytes] = msgspec.json.encode,
    device: str = "cell-1",
) -> CaptureRecord:
    """An image and its record; `stored` is how the image lies on the disk, where that is not as it is. `write`: a
    version of the record's schema."""
    folder.mkdir(exist_ok=True)
    record = CaptureRecord(
        id=name,
        device=device,
        digest=digest_of(data),
        size=len(data),
        content_type="image/jpeg",
        strategy="random",
        reason="1 in 20",
        captured_at="2026-01-01T00:00:00.000Z",
    )
    (folder / f"{name}.bin").write_bytes(data if stored is None else stored)
    (folder / f"{name}.json").write_bytes(write(record))
    return record
