"""A made-up next version of the result schema, for tests: boxes are lists, and detections are called objects."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.result import Result
from lineside.contract.result_versions import FORMS, Form

_BOX = ("x", "y", "width", "height")


def write(result: Result) -> bytes:
    """A result in version 2."""
    said: dict[str, Any] = msgspec.to_builtins(result)
    objects = [
        {"box": [one.pop(name) for name in _BOX], **one} for one in (dict(each) for each in said.pop("detections"))
    ]
    return msgspec.json.encode(said | {"schema": "lineside.result/2", "objects": objects})


def read(payload: bytes) -> Result:
    """What it says."""
    said: dict[str, Any] = msgspec.json.decode(payload)
    detections = [
        dict(zip(_BOX, one["box"], strict=True)) | {key: value for key, value in one.items() if key != "box"}
        for one in said.pop("objects")
    ]
    return msgspec.convert(said | {"schema": "lineside.result/1", "detections": detections}, Result)


OLD = FORMS
"""A release of today."""
NEW = {**FORMS, 2: Form(write, read)}
"""A release of tomorrow, which still knows version 1."""
LATER = {2: Form(write, read)}
"""One that has forgotten it."""
