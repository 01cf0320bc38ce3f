"""Rules of results: what is taken."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Result
from lineside.contract.schema_versions import RESULTS, Schema, said

MAX_BYTES = 256 << 10
"""Largest result; one with a hundred detections has about 20 KiB."""

_LARGEST = 2**63


def read(device: str, payload: bytes, schema: Schema[Result] = RESULTS) -> Result:
    """The result in a message of a device. Raises `result.invalid`, and `result.version_unread` for a version that
    `schema` does not read."""
    if len(payload) > MAX_BYTES:
        raise LinesideError("result.invalid", device=device, why=f"it has over {MAX_BYTES} bytes")
    version = schema.version_of(payload)
    if version is None:
        raise LinesideError("result.invalid", device=device, why="it says no version of the result schema")
    if version not in schema.forms:
        raise LinesideError("result.version_unread", device=device, version=version, read=said(schema.forms))
    try:
        result = schema.forms[version].read(payload)
    except UNREADABLE as error:
        raise LinesideError("result.invalid", device=device, why=error) from error
    why = _what_is_wrong(device, result)
    if why:
        raise LinesideError("result.invalid", device=device, why=why)
    return result


def _what_is_wrong(device: str, result: Result) -> str:
    if result.device != device:
        return f"it says it is of {result.device!r}"
    if not 0 <= result.sequence < _LARGEST:
        return f"its sequence number is {result.sequence}"
    if result.width <= 0 or result.height <= 0:
        return f"its image has {result.width} x {result.height} pixels"
    if not all(0.0 <= detection.confidence <= 1.0 for detection in result.detections):
        return "a confidence is not between 0 and 1"
    return ""
