"""A network's input that stays half empty is said, with the size that would be full; on a run's step, too."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lineside.contract.dataset import Box, DatasetVersion, ImageRecord
from lineside.contract.model import Signature
from lineside.contract.run import RunRequest, RunState
from lineside.pipeline.empty_input import empty_input
from lineside.pipeline.testing import MemoryControl
from tests.pipeline.conftest import SPLITS, Workplace

OPTIONS = ("epochs", "input_width", "input_height")
HD, PHONE = (1920, 1080), (1080, 1920)


def said(sizes: list[tuple[int, int]], width: int = 320, height: int = 320, letterbox: str = "corner") -> str:
    signature = Signature(head="compact", input_width=width, input_height=height, letterbox=letterbox, labels=("dent",))
    return empty_input(sizes, signature, OPTIONS)


def test_wide_pictures_in_a_square() -> None:
    assert said([HD] * 38 + [(640, 480)] * 2) == (
        "44% of the network's input of 320 x 320 stays empty with 38 of 40 pictures (such as 1920 x 1080): "
        "--set input_height=192 shows them as large, and is 40% smaller."
    )


def test_where_devices_leave_padding_out_it_is_the_training_that_gains() -> None:
    signature = Signature(head="compact", input_width=320, input_height=320, labels=("dent",), size_divisor=32)
    assert empty_input([HD], signature, OPTIONS).endswith(
        "--set input_height=192 shows them as large, and trains on 40% fewer pixels; devices leave out what is empty "
        "as it is."
    )


@pytest.mark.parametrize(
    ("sizes", "width", "height", "options"),
    [
        ([PHONE], 320, 320, "--set input_width=192 shows"),
        ([PHONE], 320, 224, "--set input_width=128 shows"),
        ([(1920, 600)], 640, 640, "--set input_height=224 shows"),  # 200, rounded up
        ([HD, (1280, 720), (640, 480)], 640, 640, "--set input_height=384 shows"),
        ([(6000, 100)], 320, 320, "--set input_height=64 shows"),
    ],
)
def test_the_better_size_is_rounded_up_to_strides(
    sizes: list[tuple[int, int]], width: int, height: int, options: str
) -> None:
    assert options in said(sizes, width, height)


@pytest.mark.parametrize(
    ("sizes", "width", "height"),
    [
        ([], 320, 320),
        ([(640, 480)], 320, 320),  # a quarter, and not more
        ([HD], 320, 192),
        ([HD], 320, 224),
        ([HD, PHONE], 320, 320),  # no shape is that of most
        ([HD, HD, PHONE, (500, 500)], 320, 320),
        ([HD], 64, 64),  # no trainer takes less
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_gain(sizes: list[tuple[int, int]], width: int, height: int) -> None:
    assert said(sizes, width, height) == ""


def test_nothing_is_said_of_inputs_without_padding_or_trainers_without_the_parameters() -> None:
    assert said([HD], letterbox="stretch") == ""
    square = Signature(head="yolov8", input_width=320, input_height=320, letterbox="centre", labels=("dent",))
    assert empty_input([HD], square, ("input_side",)) == ""
    assert empty_input([HD], square, OPTIONS) != ""


def add_wide(control: MemoryControl) -> DatasetVersion:
    """Pictures twice as wide as high, with a white square each."""
    records = []
    for number, split in enumerate(SPLITS):
        pixels = np.random.default_rng(number).integers(0, 30, (80, 160, 3), np.uint8)
        pixels[16:48, 16:48] = 255
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, format="PNG")
        box = Box(label="square", x=16, y=16, width=32, height=32)
        digest = control.add_blob(out.getvalue())
        record = ImageRecord(
            digest=digest, file_name=f"{number}.png", width=160, height=80, group=str(number), split=split, boxes=(box,)
        )
        records.append(record)
    return control.add_dataset(("square",), tuple(records))


def test_the_step_that_trained_says_so(office: Workplace) -> None:
    parameters = {"input_width": 128, "input_height": 128, "epochs": 1, "batch": 4, "settle_epochs": 0, "min_map": 0.0}
    dataset = add_wide(office.control)
    run = office.do(RunRequest(model=office.model, dataset=dataset.id, trainer="compact", parameters=parameters))
    assert (run.error, run.state) == (None, RunState.SUCCEEDED)
    (step,) = (one for one in run.steps if one.name == "train")
    sentence = (
        "50% of the network's input of 128 x 128 stays empty with 12 of 12 pictures (such as 160 x 80): "
        "--set input_height=64 shows them as large, and trains on 50% fewer pixels; devices leave out what is empty "
        "as it is."
    )
    assert step.message == f"1 epoch. {sentence}"
    assert sentence in office.log()
