"""Captures: an image a device kept, and why; the ticket that lets it upload exactly that image."""

from __future__ import annotations

import msgspec

from lineside.contract.result import Result

CAPTURE_SCHEMA = "lineside.capture/1"


class CaptureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says about an image it kept. `id` is made on the device and makes uploads idempotent. `digest`,
    `size` and `content_type` are of the image as it was stored: blurred, if it was, and before it was sealed."""

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


class CaptureHead(msgspec.Struct, frozen=True, kw_only=True):
    """What of a record is the same in every version of its schema: all that whoever carries it on has to read. (Who
    thins a store reads `strategy`, `captured_at` and `request`; they are the same, too.)"""

    schema: str
    id: str
    digest: str
    size: int  # bytes


class SignedPut(msgspec.Struct, frozen=True, kw_only=True):
    """A PUT that a bucket takes from whoever holds it: `url` is signed, and so are the `headers` that go with it."""

    url: str
    headers: dict[str, str]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to PUT one object once: `digest` and exactly `max_bytes`, before `expires_at`. It cannot read or list.

    Where the store is a bucket, `direct` is a way past the control plane; what was put there counts when
    `POST {url}/done` has said so. `url` is open in any case, and goes on after the `received` bytes it has.
    """

    id: str
    url: str  # path below the device API's address
    digest: str
    max_bytes: int
    expires_at: str
    uploaded: bool = False  # the object is there already: nothing to send
    received: int = 0  # bytes that came before an upload broke off
    direct: SignedPut | None = None


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A capture as the control plane shows it."""

    record: CaptureRecord
    requested_at: str
    uploaded_at: str | None = None


class CapturePage(msgspec.Struct, frozen=True, kw_only=True):
    """Uploaded captures, newest first. There are `total` in all, or more where `more` says so (nobody counts on beyond
    10,000); `next` is what `before` takes to go on from here."""

    captures: tuple[Capture, ...]
    total: int
    more: bool = False
    next: str | None = None


class CaptureFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which captures; what is not said does not matter. Times are of arrival, RFC 3339."""

    device: str | None = None
    strategy: str | None = None
    model: str | None = None  # NAME:VERSION that decided
    request: str | None = None  # id of the collection that it answers
    since: str | None = None
    until: str | None = None
