"""A classifier goes through the whole pipeline: trained, scored, quantized and registered like a detector."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from lineside.contract.dataset import Box, DatasetVersion, ImageRecord
from lineside.contract.run import RunRequest, RunState
from lineside.pipeline.testing import MemoryControl
from tests.pipeline.conftest import SPLITS, Workplace

PARAMETERS: dict[str, Any] = {
    "input_width": 64,
    "input_height": 64,
    "epochs": 2,
    "batch": 4,
    "settle_epochs": 1,
    "colour": 0.0,
    "min_map": 0.0,
}


def add_shades(control: MemoryControl) -> DatasetVersion:
    """Bright and dark pictures in turn, with one or two boxes of that label somewhere; the last has no label."""
    records = []
    for number, split in enumerate((*SPLITS, *SPLITS)):
        bright = number % 2 == 0
        pixels = np.random.default_rng(number).integers(200 if bright else 0, 255 if bright else 60, (64, 96, 3))
        out = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(out, format="PNG")
        boxes = (Box(label="bright" if bright else "dark", x=number, y=4, width=8, height=8),) * (1 + number % 3 // 2)
        records.append(
            ImageRecord(
                digest=control.add_blob(out.getvalue()),
                file_name=f"{number}.png",
                width=96,
                height=64,
                group=str(number),
                split=split,
                boxes=boxes if number < 23 else (),
            )
        )
    return control.add_dataset(("bright", "dark"), tuple(records))


def test_a_classifier_is_a_model_version_like_any_other(office: Workplace) -> None:
    dataset = add_shades(office.control)
    run = office.do(RunRequest(model=office.model, dataset=dataset.id, trainer="classify", parameters=dict(PARAMETERS)))
    assert (run.error, run.state) == (None, RunState.SUCCEEDED)
    (model,) = office.models()
    assert model.signature.head == "classify"
    metrics = model.metrics["test"]
    assert (metrics.images, metrics.boxes) == (9, 9)  # of ten, one without a label
    assert metrics.map == metrics.map50  # a class is right or wrong: every box is the whole picture
    assert {variant.name for variant in model.variants} >= {"fp32", "int8"}
