"""Models made elsewhere: how each head's models are usually fed, and what may be said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import onnx

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.pipeline.notes import SIGNATURE_NOTE
from lineside.runtime.engines import Port
from lineside.runtime.heads import HEADS

_USUALLY: dict[str, dict[str, Any]] = {
    "classify": {"letterbox": "stretch", "score_threshold": 0.5, "max_detections": 1},
    "compact": {},
    "detr": {"letterbox": "stretch", "iou_threshold": 1.0},
    "ssd": {"letterbox": "stretch", "scale": 1.0, "mean": (127.0,) * 3, "std": (128.0,) * 3},
    "yolov5": {"letterbox": "centre"},
    "yolov8": {"letterbox": "centre"},
    "yolox": {"channels": "bgr", "scale": 1.0},
}
"""Beside RGB 0..1 with the picture top left; see docs/importing-models.md for where each comes from."""

FEED = (
    *("channels", "scale", "mean", "std", "letterbox", "pad"),
    *("score_threshold", "iou_threshold", "max_detections", "input_width", "input_height", "size_divisor"),
)
"""Fields of a signature that may be said about a model that comes in."""


def written_in(data: bytes, head: str) -> dict[str, Any]:
    """What an ONNX file that was trained here says of how it is fed; nothing for other files, and other heads.

    Errors: model.unreadable.
    """
    try:
        notes = {note.key: note.value for note in onnx.load_from_string(data).metadata_props}
    except Exception as failure:  # the boundary: what onnx raises about files of others has no common kind
        raise LinesideError("model.unreadable", why=failure) from failure
    try:
        signature = msgspec.json.decode(notes.get(SIGNATURE_NOTE, ""), type=Signature)
    except msgspec.MsgspecError:
        return {}
    known = msgspec.to_builtins(signature)
    return {name: known[name] for name in FEED if name in known} if signature.head == head else {}


def signature_of(
    head: str,
    labels: tuple[str, ...],
    inputs: tuple[Port, ...],
    said: Mapping[str, Any],
    written: Mapping[str, Any] | None = None,
) -> Signature:
    """How a file with these inputs is fed: what its input shows, else what was `said`, else what is `written` in it,
    else what is usual for the head.

    Errors: model.head_unknown, check.input_shape, check.feed_unknown, model.signature_invalid.
    """
    if head not in HEADS:
        raise LinesideError("model.head_unknown", head=head, known=", ".join(sorted(HEADS)))
    for name in said:
        if name not in FEED:
            raise LinesideError("check.feed_unknown", name=name, known=", ".join(FEED))
    known = _USUALLY[head] | dict(written or {}) | dict(said)
    known |= {"head": head, "labels": labels} | _shown(inputs, known)
    try:
        return msgspec.convert(known, Signature)
    except msgspec.ValidationError as failure:
        raise LinesideError("model.signature_invalid", why=failure) from None


def _shown(inputs: tuple[Port, ...], known: Mapping[str, Any]) -> dict[str, Any]:
    """What the input says of itself: float32 [1, C, height, width], or uint8 [1, height, width, C]."""
    if len(inputs) == 1 and len(inputs[0].shape) == 4:
        pixels = inputs[0].element == "uint8"
        one, *sizes = inputs[0].shape
        height, width, planes = sizes if pixels else (*sizes[1:], sizes[0])
        height, width = height or known.get("input_height"), width or known.get("input_width")
        if one in (1, None) and planes in (1, 3, None) and height and width:
            shown = {"input_width": width, "input_height": height}
            return shown | ({"input": "uint8"} if pixels else {}) | ({"channels": "grey"} if planes == 1 else {})
    seen = " and ".join(f"{list(port.shape)} {port.element}" for port in inputs) or "none"
    raise LinesideError("check.input_shape", seen=seen, wanted="[1, C, height, width] float32 with C 1 or 3")
