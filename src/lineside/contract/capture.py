"""Captures: an image a device kept, and why; the ticket that lets it upload exactly that image."""

from __future__ import annotations

import msgspec

from lineside.contract.result import Result

CAPTURE_SCHEMA = "lineside.capture/1"


class CaptureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says about an image it kept. `id` is made on the device and makes uploads idempotent."""

    schema: str = CAPTURE_SCHEMA
    id: str
    device: str
    digest: str
    size: int  # bytes
    content_type: str  # image/jpeg, image/png
    strategy: str  # "uncertain", "random"
    reason: str  # one sentence with its numbers
    captured_at: str
    result: Result | None = None


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to PUT one object once: `digest` and at most `max_bytes`, before `expires_at`. It cannot read or list."""

    id: str
    url: str  # path below the device API's address
    digest: str
    max_bytes: int
    expires_at: str
    uploaded: bool = False  # the object is there already: nothing to send


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A capture as the control plane shows it."""

    record: CaptureRecord
    requested_at: str
    uploaded_at: str | None = None


class CapturePage(msgspec.Struct, frozen=True, kw_only=True):
    """Uploaded captures, newest first."""

    captures: tuple[Capture, ...]
    total: int
