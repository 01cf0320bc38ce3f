"""Heads: how one model family's output becomes candidate boxes. One file each; `HEADS` is the table by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature

Shape = tuple[int | None, ...]


class Candidates(NamedTuple):
    """Boxes before non-maximum suppression: x1, y1, x2, y2 in pixels of the input float32 [K, 4], scores float32 [K],
    class indices [K]."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]


class Head(Protocol):
    """Reads the outputs of one model family."""

    @property
    def wanted(self) -> tuple[Shape, ...]:
        """The shapes of the outputs this head reads, in the order in which it wants them; None is any size."""

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every location whose best class scores at least `score_threshold`; rows that are not finite are left out."""


@runtime_checkable
class OwnOrder(Protocol):
    """A head of a family that answers in more than one layout."""

    def order(self, names: Sequence[str], outputs: Sequence[NDArray[Any]]) -> Sequence[int] | None:
        """Which of a file's outputs, by name and values, `candidates` wants, in its order; None: no layout of it."""


def order_of(head: Head, names: Sequence[str], outputs: Sequence[NDArray[Any]]) -> Sequence[int] | None:
    """Which outputs the head reads, in its order: by shape, the first order that fits, unless it knows better. None
    when these are not its outputs."""
    if isinstance(head, OwnOrder):
        return head.order(names, outputs)
    wanted, seen = head.wanted, [output.shape for output in outputs]
    orders = permutations(range(len(seen))) if len(seen) == len(wanted) else iter(())
    return next((o for o in orders if all(may_be(w, seen[i]) for w, i in zip(wanted, o, strict=True))), None)


def may_be(declared: Shape, wanted: Shape) -> bool:
    """Whether a shape with open sizes (None) may turn out to be that one."""
    return len(declared) == len(wanted) and all(a in (None, b) for a, b in zip(declared, wanted, strict=True))


def locations(signature: Signature, strides: tuple[int, ...] = (8, 16, 32)) -> int:
    """How many grid cells a detector with these strides has on the signature's input."""
    return sum(-(-signature.input_height // s) * -(-signature.input_width // s) for s in strides)


def corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes cx, cy, w, h [K, 4] as x1, y1, x2, y2."""
    centres, halves = boxes[:, :2], boxes[:, 2:] * np.float32(0.5)
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _classify(signature: Signature) -> Head:
    from lineside.runtime.heads.classify import ClassifyHead

    return ClassifyHead(signature)


def _compact(signature: Signature) -> Head:
    from lineside.runtime.heads.compact import CompactHead

    return CompactHead(signature)


def _detr(signature: Signature) -> Head:
    from lineside.runtime.heads.detr import DetrHead

    return DetrHead(signature)


def _ssd(signature: Signature) -> Head:
    from lineside.runtime.heads.ssd import SsdHead

    return SsdHead(signature)


def _yolov5(signature: Signature) -> Head:
    from lineside.runtime.heads.yolov5 import Yolov5Head

    return Yolov5Head(signature)


def _yolov8(signature: Signature) -> Head:
    from lineside.runtime.heads.yolov8 import Yolov8Head

    return Yolov8Head(signature)


def _yolox(signature: Signature) -> Head:
    from lineside.runtime.heads.yolox import YoloxHead

    return YoloxHead(signature)


HEADS: dict[str, Callable[[Signature], Head]] = {
    "classify": _classify,
    "compact": _compact,
    "detr": _detr,
    "ssd": _ssd,
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "yolox": _yolox,
}


def head_of(signature: Signature) -> Head:
    """The head a signature names. Raises `model.head_unknown`."""
    if signature.head not in HEADS:
        raise LinesideError("model.head_unknown", head=signature.head, known=", ".join(sorted(HEADS)))
    return HEADS[signature.head](signature)
