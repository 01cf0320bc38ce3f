"""What a device says of an image: read, in a version of the schema that this control plane knows, and judged."""

from __future__ import annotations

from lineside.contract.capture import CaptureRecord
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest, is_name
from lineside.contract.reading import UNREADABLE
from lineside.contract.schema_versions import CAPTURES, Schema, said

_CONTENT_TYPES = ("image/jpeg", "image/png", "image/bmp", "image/webp", "image/tiff", "application/octet-stream")


def read(device: str, payload: bytes, schema: Schema[CaptureRecord] = CAPTURES) -> CaptureRecord:
    """The record in a device's JSON. Raises `capture.invalid`, and `capture.version_unread` for a version that `schema`
    does not read."""
    version = schema.version_of(payload)
    if version is None:
        raise LinesideError("capture.invalid", device=device, why="it says no version of the capture schema")
    if version not in schema.forms:
        raise LinesideError("capture.version_unread", device=device, version=version, read=said(schema.forms))
    try:
        return schema.forms[version].read(payload)
    except UNREADABLE as error:
        raise LinesideError("capture.invalid", device=device, why=error) from error


def what_is_wrong(record: CaptureRecord) -> str:
    """Why a record makes no sense; nothing when it does."""
    if not is_name(record.id):
        return f"{record.id!r} cannot name a capture"
    if not is_digest(record.digest):
        return f"{record.digest!r} is not a digest"
    if record.size <= 0:
        return "a capture has at least one byte"
    if record.content_type not in _CONTENT_TYPES:
        return f"{record.content_type!r} is no type of image"
    if record.request and not is_name(record.request):
        return "request is no id"
    return "strategy is no name" if not is_name(record.strategy) else ""
