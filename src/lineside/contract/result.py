"""Results: what a device decided about one image. One versioned schema, for good parts too."""

from __future__ import annotations

import msgspec

RESULT_SCHEMA = "lineside.result/1"
RULE_EVENT_SCHEMA = "lineside.rule-event/1"


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One object found: box in pixels of the original image, from the top left; `confidence` 0..1."""

    label: str = msgspec.field(name="class")
    class_index: int
    confidence: float
    x: float
    y: float
    width: float
    height: float


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What the previous model found on the same image, held against the result. Boxes of one class that overlap by at
    least half of their union (IoU 0.5) are the same object, matched from the most confident one on; what is left over
    counts unless its confidence is within 0.05 of its model's threshold, where a detection may come or go."""

    digest: str  # of the previous model's file
    agrees: bool  # nothing is left over that counts
    matched: int = 0
    only_new: int = 0  # objects that only the new model found
    only_previous: int = 0
    latency_ms: float = 0.0  # of the previous model, decoding not included


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of the configuration that the detections met: an event for whoever acts on results."""

    name: str  # of the rule
    action: str  # what it asks for, "reject" for example
    why: str  # one sentence
    late: bool = False  # decided after the rule's deadline
    deadline_ms: float | None = None  # of the rule, after the picture was taken


class RuleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that fired, as a message of its own. `sequence` is its result's; with `name` it tells one event from
    another."""

    schema: str = RULE_EVENT_SCHEMA
    device: str
    source: str
    image: str
    captured_at: str
    sequence: int
    name: str
    action: str
    why: str
    late: bool = False  # after the rule's deadline, or the line's
    deadline_ms: float | None = None


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
    compared: Compared | None = None  # of sampled images, when the previous model came along
    source: str = ""  # of several sources, the name of the one it came from
    late: bool = False  # decided after the deadline of the configuration
    events: tuple[Fired, ...] = ()  # rules that it met


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
