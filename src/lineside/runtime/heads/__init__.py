"""Heads: how one model family's output becomes candidate boxes. One file each; `HEADS` is the table by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature


class Candidates(NamedTuple):
    """Boxes before non-maximum suppression: x1, y1, x2, y2 in pixels of the input float32 [K, 4], scores float32 [K],
    class indices [K]."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]


class Head(Protocol):
    """Reads the outputs of one model family."""

    @property
    def wanted(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the outputs this head can read, in order."""

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every location whose best class scores at least `score_threshold`; rows that are not finite are left out."""


def locations(signature: Signature, strides: tuple[int, ...] = (8, 16, 32)) -> int:
    """How many grid cells a detector with these strides has on the signature's input."""
    return sum(-(-signature.input_height // s) * -(-signature.input_width // s) for s in strides)


def _compact(signature: Signature) -> Head:
    from lineside.runtime.heads.compact import CompactHead

    return CompactHead(signature)


def _yolox(signature: Signature) -> Head:
    from lineside.runtime.heads.yolox import YoloxHead

    return YoloxHead(signature)


HEADS: dict[str, Callable[[Signature], Head]] = {"compact": _compact, "yolox": _yolox}


def head_of(signature: Signature) -> Head:
    """The head a signature names. Raises `model.head_unknown`."""
    if signature.head not in HEADS:
        raise LinesideError("model.head_unknown", head=signature.head, known=", ".join(sorted(HEADS)))
    return HEADS[signature.head](signature)
