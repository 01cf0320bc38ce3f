"""A made-up next version of two schemas, for tests. Results: boxes are lists, and detections are called objects.
Captures: they hold a result of that version, and say why they were kept in another place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.result import Result
from lineside.contract.schema_versions import CAPTURES, RESULTS, Form, Schema

_BOX = ("x", "y", "width", "height")


def write(result: Result) -> bytes:
    """A result in version 2."""
    return msgspec.json.encode(_later_result(result))


def read(payload: bytes) -> Result:
    """What it says."""
    return _result(msgspec.json.decode(payload))


def write_capture(record: CaptureRecord) -> bytes:
    """A capture's record in version 2."""
    said: dict[str, Any] = msgspec.to_builtins(record) | {"schema": "lineside.capture/2"}
    said["kept"] = {"why": said.pop("reason"), "type": said.pop("content_type")}
    if record.result is not None:
        said["result"] = _later_result(record.result)
    return msgspec.json.encode(said)


def read_capture(payload: bytes) -> CaptureRecord:
    """What it says."""
    said: dict[str, Any] = msgspec.json.decode(payload)
    why = said.pop("kept")
    said |= {"schema": "lineside.capture/1", "reason": why["why"], "content_type": why["type"]}
    if said["result"] is not None:
        said["result"] = _result(said["result"])
    return msgspec.convert(said, CaptureRecord)


def _later_result(result: Result) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(result)
    objects = [
        {"box": [one.pop(name) for name in _BOX], **one} for one in (dict(each) for each in said.pop("detections"))
    ]
    return said | {"schema": "lineside.result/2", "objects": objects}


def _result(said: dict[str, Any]) -> Result:
    detections = [
        dict(zip(_BOX, one["box"], strict=True)) | {key: value for key, value in one.items() if key != "box"}
        for one in said.pop("objects")
    ]
    return msgspec.convert(said | {"schema": "lineside.result/1", "detections": detections}, Result)


OLD: Schema[Result] = RESULTS
"""A release of today."""
NEW: Schema[Result] = replace(RESULTS, forms={**RESULTS.forms, 2: Form(write, read)}, told=(1, 2))
"""A release of tomorrow, which still knows version 1."""
LATER: Schema[Result] = replace(RESULTS, forms={2: Form(write, read)}, told=(2,))
"""One that has forgotten it."""

_CAPTURE = Form(write_capture, read_capture)
OLD_CAPTURES: Schema[CaptureRecord] = CAPTURES
NEW_CAPTURES: Schema[CaptureRecord] = replace(CAPTURES, forms={**CAPTURES.forms, 2: _CAPTURE}, told=(1, 2))
LATER_CAPTURES: Schema[CaptureRecord] = replace(CAPTURES, forms={2: _CAPTURE}, told=(2,))
