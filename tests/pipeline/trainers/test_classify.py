from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.run import RunRequest
from lineside.pipeline.classes import classifies, whole_pictures
from lineside.pipeline.trainers import checkpoint
from lineside.pipeline.trainers.base import Progress, TrainImage, trainer
from lineside.pipeline.trainers.classify_net import Classifier
from lineside.runtime.model import load
from tests.pipeline.trainers.conftest import MakeJob

LABELS = ("bright", "dark")
QUICK = {"input_width": 64, "input_height": 64, "batch": 3, "epochs": 40, "settle_epochs": 5, "colour": 0.0}


def ignore(_: Progress) -> None: ...


@pytest.fixture
def shades(squares: list[TrainImage]) -> list[TrainImage]:
    """The pictures with a square are bright, the one without is dark, whatever box says so."""
    marked = [TrainImage(image.path, [(0, 2, 2, 9, 9), (0, 1, 1, 5, 5)]) for image in squares[:-1]]
    return [*marked, *[TrainImage(squares[-1].path, [(1, 0, 0, 96, 64)])] * 4]


def test_a_classifier_learns_and_a_device_runs_it(make_job: MakeJob, shades: list[TrainImage], tmp_path: Path) -> None:
    job = make_job(train=shades, val=shades, labels=LABELS, parameters=QUICK)
    said: list[Progress] = []
    final = trainer("classify").train(job, said.append)
    assert said[-1].val_map50 == pytest.approx(1.0)
    trainer("classify").export(final, LABELS, QUICK, tmp_path / "model.onnx")
    model = load(tmp_path / "model.onnx", trainer("classify").signature(LABELS, QUICK), threads=1)
    for image in (shades[0], shades[-1]):
        (found,) = model.detect(image.path.read_bytes())
        assert found.class_index == image.boxes[0][0]
        assert (found.x, found.y, found.width, found.height) == (0, 0, 96, 64)
        assert found.confidence > 0.5


def test_pictures_without_a_class_or_of_several_are_left_out_and_counted(
    make_job: MakeJob, shades: list[TrainImage]
) -> None:
    several = TrainImage(shades[0].path, [(0, 2, 2, 9, 9), (1, 1, 1, 5, 5)])
    none = TrainImage(shades[0].path, [])
    said: list[Progress] = []
    job = make_job(train=[*shades, several, none], val=[none], labels=LABELS, parameters=QUICK | {"epochs": 1})
    trainer("classify").train(job, said.append)
    assert said[0].message.startswith("3 pictures")


def test_one_class_is_nothing_to_tell_apart(make_job: MakeJob, shades: list[TrainImage]) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer("classify").train(make_job(train=shades[:3], labels=LABELS, parameters=QUICK), ignore)
    assert refused.value.code == "training.one_class"


def test_it_starts_from_the_backbone_of_a_detector(make_job: MakeJob, shades: list[TrainImage], tmp_path: Path) -> None:
    small = {"input_width": 64, "input_height": 64, "epochs": 1, "batch": 3}
    detector = trainer("compact").train(make_job(parameters=small, workdir=tmp_path / "detector"), ignore)
    said: list[Progress] = []
    parameters = QUICK | {"epochs": 1, "freeze": "backbone"}
    job = make_job(train=shades, val=[], labels=LABELS, parameters=parameters, init=detector)
    final = trainer("classify").train(job, said.append)
    assert "classes.weight, classes.bias" in said[0].message
    before, after = (checkpoint.load(file)["net"]["stem.conv.weight"] for file in (detector, final))
    assert torch.equal(before, after)


def test_a_picture_that_lost_its_class_costs_nothing() -> None:
    raw = torch.zeros(2, 2, requires_grad=True)
    known, nobody = torch.tensor([[1.0, 0, 0, 9, 9]]), torch.zeros(0, 5)
    alone = Classifier(torch.nn.Identity()).losses(raw[:1], [known], last=True)["class"]
    both = Classifier(torch.nn.Identity()).losses(raw, [known, nobody], last=True)["class"]
    assert alone.item() == pytest.approx(both.item())


def test_a_run_for_a_classifier_sees_whole_pictures() -> None:
    def record(*labels: str) -> ImageRecord:
        boxes = tuple(Box(label=label, x=3, y=4, width=5, height=6) for label in labels)
        return ImageRecord(digest="d", file_name="f", width=96, height=64, split=Split.TEST, boxes=boxes)

    (whole,) = whole_pictures([record("a", "a"), record("a", "b"), record()])
    assert whole.boxes == (Box(label="a", x=0, y=0, width=96, height=64),)
    assert classifies(RunRequest(model="m", trainer="classify"))
    assert classifies(RunRequest(model="m", kind="import", parameters={"head": "classify"}))
    assert not classifies(RunRequest(model="m", trainer="compact"))
