"""A result as a device makes it, for tests that do not care what it says."""

from __future__ import annotations

from lineside.contract.result import Detection, Result


def result(image: str, sequence: int = 7, detections: tuple[Detection, ...] = (), model: str = "bright") -> Result:
    """Of an image of 64 by 64 pixels."""
    return Result(
        device="cam-1",
        model=model,
        version=1,
        digest="sha256:" + "0" * 64,
        image=image,
        captured_at="2026-01-01T00:00:00.000Z",
        sequence=sequence,
        width=64,
        height=64,
        latency_ms=1.0,
        detections=detections,
    )
