"""Small jobs: a bright square on a dark picture, found by tiny inputs within seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lineside.pipeline.trainers.base import TrainImage, TrainJob

SMALL: dict[str, Any] = {"input_width": 64, "input_height": 64, "epochs": 3, "batch": 3, "settle_epochs": 1}

MakeJob = Callable[..., TrainJob]


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> list[TrainImage]:
    """Six pictures of 96 x 64, each with one square of class 0 or 1, and a last one with nothing in it."""
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    images = []
    for number in range(6):
        pixels = rng.integers(20, 60, (64, 96, 3), dtype=np.uint8)
        x, y = (int(value) for value in rng.integers(4, 30, 2))
        pixels[y : y + 24, x : x + 24] = 220
        images.append(TrainImage(_saved(folder, number, pixels), [(number % 2, x, y, 24, 24)]))
    return [*images, TrainImage(_saved(folder, 6, np.full((64, 96, 3), 40, np.uint8)), [])]


def _saved(folder: Path, number: int, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Path:
    path = folder / f"{number}.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def make_job(squares: list[TrainImage], tmp_path: Path) -> MakeJob:
    """A job of a second or two; keywords replace what it says."""

    def make(**changed: Any) -> TrainJob:
        given: dict[str, Any] = {
            "train": squares,
            "val": squares[:2],
            "labels": ("dent", "scratch"),
            "parameters": dict(SMALL),
            "seed": 7,
            "init": None,
            "workdir": tmp_path / "work",
            "threads": 1,
        }
        return TrainJob(**{**given, **changed})

    return make
