"""Engines run a model file: one file each behind one Protocol."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int | None, ...]


class Port(NamedTuple):
    """An input or output of a model file: its name, its shape (None is any size) and its element type."""

    name: str
    shape: Shape
    element: str  # "float32", or the engine's own word for another type


class Engine(Protocol):
    """A loaded model file with one input."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What the file declares it takes."""

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What the file declares it gives."""

    @property
    def threads(self) -> int:
        """How many threads one run may use."""

    def run(self, tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """One inference. Raises `model.run_failed`."""
