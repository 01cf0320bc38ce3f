"""What the local API needs of the models of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lineside.contract.result import Detection, Result
from lineside.runtime.decode import Picture
from lineside.runtime.model import Inference, Model


class Seen(Protocol):
    """What a model found on one picture."""

    @property
    def published(self) -> Sequence[Detection]: ...
    @property
    def inference(self) -> Inference: ...
    @property
    def model(self) -> Model: ...


class Slot(Protocol):
    """What answers under one name, whichever model stands behind it just now."""

    @property
    def model(self) -> Model: ...
    def detect(self, data: bytes | Picture) -> Seen: ...


class Models(Protocol):
    """The models of this process (`runtime.models.Library`). What is not loaded raises `model.not_loaded`."""

    def names(self) -> Sequence[str]:
        """Those that are loaded."""

    def known(self) -> Mapping[str, Path]:
        """Every one that was ever configured, with its folder."""

    def slot(self, name: str) -> Slot: ...
    def load(self, name: str, folder: Path) -> object: ...
    def unload(self, name: str) -> object: ...


Ask = Callable[[str, bytes], Result | None]
"""Decides on a picture as on any of the line's own: the result is on disk before it is answered. None: no source of the
line takes requests for this model."""
