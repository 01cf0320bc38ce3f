"""Models made elsewhere: how each head's models are fed, what may be said otherwise, what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.run import RunRequest
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.control import PatientControl
from lineside.pipeline.elsewhere import FEED, signature_of, written_in
from lineside.pipeline.kept import Keeper
from lineside.pipeline.notes import SIGNATURE_NOTE
from lineside.pipeline.reporter import StepReporter
from lineside.pipeline.step import Context, Results
from lineside.pipeline.steps import check
from lineside.pipeline.testing import MemoryControl
from lineside.pipeline.trainers.base import trainer
from lineside.pipeline.trainers.classify_net import ClassifyNet
from lineside.pipeline.trainers.compact_net import CompactNet
from lineside.pipeline.trainers.yolox_net import YoloxNet
from lineside.runtime.decode import Picture
from lineside.runtime.engines import Port
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.heads import HEADS
from lineside.runtime.model import load
from lineside.runtime.preprocess import Preprocessor
from tests.runtime.heads.detr_files import finished, said, truth
from tests.runtime.heads.layouts import HEIGHT, LABELS, MADE, WIDTH, answers

PLANES = (Port("images", (1, 3, 64, 96), "float32"),)


def checked(folder: Path, model: bytes, head: str, **claim: Any) -> check.Outputs:
    """What the step answers to a file and what is claimed for it."""
    memory = MemoryControl()
    control = PatientControl(memory)
    parameters = {"head": head, "labels": LABELS} | claim
    run = memory.start_run(RunRequest(kind="import", model="tags", init=memory.add_blob(model), parameters=parameters))
    context = Context(
        run=run.id,
        control=control,
        blobs=Blobs(folder / "blobs", control),
        images=Blobs(folder / "images", control),
        folder=folder / "run",
        reporter=StepReporter(control, run, "check"),
        threads=1,
        kept=Keeper(control, run.id, folder / "run"),
    )
    return check.check(context, check.inputs(run.request, Results({})))


@pytest.mark.parametrize("head", sorted(HEADS))
def test_a_model_of_every_head_comes_in_by_a_real_inference(head: str, tmp_path: Path) -> None:
    done = checked(tmp_path, answers(MADE[head](np.random.default_rng(0))), head)
    signature = done.signature
    assert (signature.head, signature.input_width, signature.input_height) == (head, WIDTH, HEIGHT)
    assert signature.labels == LABELS


@pytest.mark.parametrize("head", sorted(set(HEADS) - {"compact"}))
def test_the_output_of_another_head_is_refused_with_both_shapes(head: str, tmp_path: Path) -> None:
    with pytest.raises(LinesideError) as caught:
        checked(tmp_path, answers(MADE["compact"](np.random.default_rng(0))), head)
    assert caught.value.code == "model.shape_unknown"
    assert "(1, 126, 9)" in caught.value.message


@pytest.mark.parametrize("head", ["classify", "compact", "yolox"])
def test_a_model_of_ours_is_fed_as_its_trainer_says(head: str, tmp_path: Path) -> None:
    """Of its file alone, whose height and width are open."""
    parameters, file = {"input_width": 96, "input_height": 64}, tmp_path / "exported.onnx"
    nets = {
        "classify": ClassifyNet,
        "compact": CompactNet,
        "yolox": partial(YoloxNet, width=0.25, depth=0.33, depthwise=True),
    }
    torch.save({"net": nets[head](len(LABELS)).state_dict()}, tmp_path / "final.pt")
    trainer(head).export(tmp_path / "final.pt", LABELS, parameters, file)
    assert checked(tmp_path, file.read_bytes(), head).signature == trainer(head).signature(LABELS, parameters)
    said = checked(tmp_path / "said", file.read_bytes(), head, feed={"pad": 0}).signature
    assert said.pad == 0


def test_what_a_file_says_of_another_head_or_wrongly_counts_nothing() -> None:
    model = onnx.load_from_string(answers(MADE["compact"](np.random.default_rng(0))))
    other = msgspec.json.encode(trainer("yolox").signature(LABELS, {})).decode()
    for note in (other, "{", '{"head": 3}'):
        onnx.helper.set_model_props(model, {SIGNATURE_NOTE: note})
        assert written_in(model.SerializeToString(), "compact") == {}
    assert written_in(model.SerializeToString(), "yolox") == {}
    onnx.helper.set_model_props(model, {SIGNATURE_NOTE: other})
    assert written_in(model.SerializeToString(), "yolox")["size_divisor"] == 32


@pytest.mark.parametrize("head", sorted(HEADS))
def test_every_head_has_a_signature_that_can_be_followed(head: str) -> None:
    assert Preprocessor(signature_of(head, LABELS, PLANES, {})).shape == (1, 3, 64, 96)


def test_what_is_said_counts_more_than_what_is_usual() -> None:
    said = {"channels": "bgr", "mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2], "letterbox": "corner"}
    signature = signature_of("yolov8", LABELS, PLANES, said)
    assert (signature.channels, signature.mean, signature.std) == ("bgr", (0.4,) * 3, (0.2,) * 3)
    assert signature.letterbox == "corner"


def test_what_the_file_shows_counts_most() -> None:
    pixels = signature_of("yolov8", LABELS, (Port("x", (1, 64, 96, 3), "uint8"),), {})
    assert (pixels.takes_pixels, pixels.input_width, pixels.input_height) == (True, 96, 64)
    assert signature_of("yolov8", LABELS, (Port("x", (1, 1, 64, 96), "float32"),), {}).channels == "grey"


def test_an_open_size_may_be_said() -> None:
    opened = (Port("x", (None, 3, None, None), "float32"),)
    with pytest.raises(LinesideError, match=r"check\.input_shape"):
        signature_of("yolov8", LABELS, opened, {})
    signature = signature_of("yolov8", LABELS, opened, {"input_width": 96, "input_height": 64})
    assert (signature.input_width, signature.input_height) == (96, 64)


@pytest.mark.parametrize(
    ("said", "code", "word"),
    [
        ({"labels": ["x"]}, "check.feed_unknown", "channels"),
        ({"scale": "much"}, "model.signature_invalid", "scale"),
    ],
)
def test_what_cannot_be_said_is_refused(said: dict[str, Any], code: str, word: str) -> None:
    with pytest.raises(LinesideError) as caught:
        signature_of("yolov8", LABELS, PLANES, said)
    assert caught.value.code == code
    assert word in str(caught.value) + caught.value.next


def test_fields_that_may_be_said_are_fields() -> None:
    assert set(FEED) < {
        field.name for field in msgspec.structs.fields(type(signature_of("compact", LABELS, PLANES, {})))
    }


def test_a_second_input_is_refused_with_both(tmp_path: Path) -> None:
    model = onnx.load_from_string(answers(MADE["detr"](np.random.default_rng(0))))
    model.graph.input.append(helper.make_tensor_value_info("state", onnx.TensorProto.INT64, [1, 2]))
    with pytest.raises(LinesideError) as caught:
        checked(tmp_path, model.SerializeToString(), "detr")
    assert caught.value.code == "check.input_shape"
    assert "[1, 3, 64, 96] float32 and [1, 2] tensor(int64)" in caught.value.message


def test_the_size_that_boxes_are_scaled_to_is_filled_in(tmp_path: Path) -> None:
    """RT-DETR and D-FINE with their post-processing: what is registered has one input, and finds the same."""
    boxes, scores = truth(np.random.default_rng(0))
    file = finished(boxes, scores, ("labels", "boxes", "scores"))
    done = checked(tmp_path, file, "detr")
    registered = Blobs(tmp_path / "blobs", PatientControl(MemoryControl())).path(done.model)
    assert done.model != digest_of(file)
    assert done.size == registered.stat().st_size
    assert [port.name for port in OnnxRuntimeEngine(registered.read_bytes(), threads=1).inputs] == ["images"]
    picture = Picture.of(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    found = load(registered, done.signature, threads=1).detect(picture, score_threshold=0.3)
    expected = sorted((row for row in said(boxes, scores) if row[4] >= 0.3), key=lambda row: -row[4])
    assert [d.class_index for d in found] == [row[5] for row in expected]
    assert np.allclose([[d.x, d.y] for d in found], [[max(0, row[0]), max(0, row[1])] for row in expected], atol=0.02)
