"""Inquiries: what a person asks of one device, and the device's answer in parts. A device hears of them by hint or poll.

An inquiry ends when the device says `done`, or at `expires_at`: nothing waits for ever for a device that is away.
"""

from __future__ import annotations

import enum

import msgspec


class InquiryKind(enum.Enum):
    """What can be asked."""

    LOGS = "logs"  # the last lines of a component's log, or of the agent's own; with `follow`, new ones as they come
    DIAGNOSE = "diagnose"  # the diagnostic checks


class InquiryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a device. `component` None means the agent itself."""

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


class InquiryPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an answer, numbered from 0; at most `MAX_PART` bytes of text. Sending one twice changes nothing."""

    number: int
    text: str = ""  # log lines, ready to print
    checks: tuple[CheckResult, ...] = ()
    done: bool = False


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
    done: bool
    expired: bool


MAX_PART = 64 << 10
"""Bytes of text in one part, at most."""
