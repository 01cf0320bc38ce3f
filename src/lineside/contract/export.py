"""Exports: files that components hand to the control plane through a stream (a stream manager's S3 export tasks)."""

from __future__ import annotations

import msgspec

EXPORT_SCHEMA = "lineside.export/1"


class ExportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says about a file. `id` is made on the device and makes uploads idempotent.

    `bucket` and `key` are words of the component that made the task: nothing is stored under them.
    """

    schema: str = EXPORT_SCHEMA
    id: str
    device: str
    bucket: str
    key: str
    metadata: dict[str, str] = {}
    stream: str
    sequence: int  # of the task in its stream
    digest: str
    size: int  # bytes
    claimed_at: str


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """An export as the control plane shows it; its content is the blob `record.digest`."""

    record: ExportRecord
    requested_at: str
    uploaded_at: str | None = None


class ExportPage(msgspec.Struct, frozen=True, kw_only=True):
    """Uploaded exports, newest first."""

    exports: tuple[Export, ...]
    total: int
