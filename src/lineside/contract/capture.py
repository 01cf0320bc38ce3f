"""Captures: an image a device kept, and why; the ticket that lets it upload exactly that image."""

from __future__ import annotations

import msgspec

from lineside.contract.result import Result

CAPTURE_SCHEMA = "lineside.capture/1"


class CaptureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says about an image it kept. `id` is made on the device and makes uploads idempotent. `digest`,
    `size` and `content_type` are of the image as it was stored: blurred, if it was blurred, and before it was sealed."""

    schema: str = CAPTURE_SCHEMA
    id: str
    device: str
    digest: str
    size: int  # bytes
    content_type: str  # image/jpeg, image/png
    strategy: str  # "random", "requested", "uncertain", "nothing", "class", "shadow", "drift", "interval"
    reason: str  # one sentence with its numbers
    captured_at: str
    result: Result | None = None
    request: str | msgspec.UnsetType = msgspec.UNSET  # id of the collection, or of the request, that it answers
    facts: dict[str, float] | msgspec.UnsetType = msgspec.UNSET  # about the image: "brightness", "contrast"
    similar_to: str | msgspec.UnsetType = msgspec.UNSET  # id of a capture that shows nearly the same


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
