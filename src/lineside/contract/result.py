"""Results: what a device decided about one image. One versioned schema, for good parts too."""

from __future__ import annotations

import msgspec

RESULT_SCHEMA = "lineside.result/1"


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One object found: box in pixels of the original image, from the top left; `confidence` 0..1."""

    label: str = msgspec.field(name="class")
    class_index: int
    confidence: float
    x: float
    y: float
    width: float
    height: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One inference. `sequence` grows by one a result on a device, over restarts; `captured_at` is RFC 3339 in UTC."""

    schema: str = RESULT_SCHEMA
    device: str
    model: str  # model name, without version
    version: int
    digest: str  # of the model file that decided
    image: str  # file name
    captured_at: str
    sequence: int
    width: int
    height: int
    latency_ms: float  # decode to detections
    detections: tuple[Detection, ...] = ()


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """A result as the control plane keeps it; `id` orders results by arrival."""

    id: int
    received_at: str
    result: Result
    quarantined: bool = False  # its device was when it came


class ResultPage(msgspec.Struct, frozen=True, kw_only=True):
    """Results after a given id, oldest first, and how many there are in all."""

    results: tuple[StoredResult, ...]
    total: int
