"""Inquiries: what a person asks of one device, and its answer in parts. A device hears of them by hint or poll.

An inquiry ends when the device says `done`, when whoever asked ends it, or at `expires_at`: nothing waits for ever for
a device that is away. One that follows lives on for as long as somebody reads its answer.
"""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.errors import ErrorReport
from lineside.contract.result import Detection
from lineside.contract.twin import TestResult, TwinAnswer


class InquiryKind(enum.Enum):
    """What can be asked."""

    LOGS = "logs"  # the last lines of a component's log, or of the agent's own; with `follow`, new ones as they come
    DIAGNOSE = "diagnose"  # the diagnostic checks
    PICTURE = "picture"  # what a component's runtime decides on just now, at most one a second
    MEASURE = "measure"  # of a twin: run the tests of its components, then say what they used at most


class InquiryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a device. `component` None means the agent itself; `lines` at most `MAX_LINES`, `ttl_seconds` `MAX_TTL`."""

    kind: InquiryKind
    component: str | None = None
    lines: int = 100
    follow: bool = False
    ttl_seconds: int = 60


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """An inquiry as its device sees it."""

    id: str
    request: InquiryRequest
    expires_at: str
    ttl_seconds: float  # what is left of it by the control plane's clock
    next_part: int = 0  # the number of the first part that the control plane does not have


class InquiryPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an answer, numbered from 0; at most `MAX_PART` bytes of text. Sending one twice changes nothing."""

    number: int
    text: str = ""  # log lines, ready to print
    checks: tuple[CheckResult, ...] = ()
    test: TestResult | None = None  # one that was run
    measured: TwinAnswer | None = None  # after all tests
    picture: LivePicture | None = None
    error: ErrorReport | None = None  # why there is no answer, or no more of it
    done: bool = False


class LivePicture(msgspec.Struct, frozen=True, kw_only=True):
    """One frame that was decided just now, made small: `jpeg` at most `MAX_PICTURE` bytes; boxes are in pixels of the
    original of `width` x `height`."""

    jpeg: bytes
    source: str
    image: str
    captured_at: str
    width: int
    height: int
    model: str
    version: int
    latency_ms: float
    detections: tuple[Detection, ...] = ()


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one diagnostic check found: `ok`, a sentence, and what to do next when it is not."""

    name: str  # disk, clock, certificate, network, temperature, …
    ok: bool
    sentence: str
    next: str = ""


class InquiryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What has come back so far, from the part asked for on."""

    id: str
    device: str
    request: InquiryRequest
    parts: tuple[InquiryPart, ...]
    done: bool  # the device said all there is to say, or whoever asked ended it
    expired: bool  # it ran out of time before that


MAX_PART = 64 << 10
"""Bytes of text in one part, at most."""

MAX_PICTURE = 96 << 10
"""Bytes of a live picture, at most."""

MAX_LINES = 10_000
"""Lines that may be asked for at once."""

MAX_TTL = 3600
"""Seconds that a device may be waited for."""
