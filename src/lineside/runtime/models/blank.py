"""No model: it decodes every image, finds nothing, and lets captures choose. What a line begins with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.contract.ids import digest_of
from lineside.contract.model import Signature
from lineside.runtime.engines import Port
from lineside.runtime.heads import Candidates, Shape
from lineside.runtime.model import Model, ModelIdentity
from lineside.runtime.models.proof import Proven
from lineside.runtime.status import GoldenState

NONE = "none"
"""What stands for a model's folder where there is no model yet; also the model's name in results, version 0."""

_SIDE = 256


class _NoEngine:
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    threads, lanes, any_size = 1, 1, True
    provider = NONE
    notes: tuple[str, ...] = ()

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        return []

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()


class _NoHead:
    wanted: tuple[Shape, ...] = ()

    def candidates(self, outputs: Sequence[NDArray[np.float32]], score_threshold: float) -> Candidates:
        return Candidates(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.intp))


def is_blank(folder: Path) -> bool:
    """Whether a model's folder is the word that stands for none."""
    return folder == Path(NONE)


def blank() -> Proven:
    """No model, ready at once. Its digest is that of no bytes."""
    signature = Signature(head=NONE, input_width=_SIDE, input_height=_SIDE, labels=(NONE,))
    identity = ModelIdentity(name=NONE, version=0, digest=digest_of(b""))
    return Proven(Model(_NoEngine(), _NoHead(), signature, identity), Path(NONE), GoldenState.ABSENT, 0.0)
