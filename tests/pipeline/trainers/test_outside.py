"""Trainers of other packages. What is ours is tested always; the contract, where the package is installed."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.pipeline.trainers.base import Progress, TrainImage, trainer
from lineside.pipeline.trainers.libreyolo import by_row
from lineside.pipeline.trainers.outside import write_folder
from lineside.runtime.model import load
from tests.pipeline.trainers.conftest import MakeJob

NAMES = ("libreyolo", "ultralytics")
ROOT = Path(__file__).resolve().parents[3]


def usable(name: str) -> bool:
    """Whether the package is there, with the torchvision that both need."""
    return all(importlib.util.find_spec(package) is not None for package in (name, "torchvision"))


@pytest.mark.parametrize("name", NAMES)
def test_the_contract(name: str, make_job: MakeJob, squares: list[TrainImage], tmp_path: Path) -> None:
    if not usable(name):
        pytest.skip(f"{name} is not installed")
    labels, parameters, made = ("dent", "scratch"), {"epochs": 1, "batch": 2, "input_side": 64}, trainer(name)
    job = make_job(parameters=parameters)
    said: list[Progress] = []
    final = made.train(job, said.append)
    assert said[-1].epoch == said[-1].epochs == 1
    assert made.train(job, said.append) == final
    assert len(said) == 1
    made.export(final, labels, parameters, tmp_path / "model.onnx")
    model = load(tmp_path / "model.onnx", made.signature(labels, parameters), threads=1)
    found = model.detect(squares[0].path.read_bytes(), score_threshold=0.0)
    assert all(one.label in labels for one in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_trainer_without_its_package_says_how_to_get_it(name: str, make_job: MakeJob) -> None:
    if usable(name):
        pytest.skip(f"{name} is installed")
    with pytest.raises(LinesideError) as refused:
        trainer(name).train(make_job(parameters={}), lambda _: None)
    assert refused.value.code == "training.package_missing"
    assert f"lineside[{name}]" in refused.value.report().next


@pytest.mark.parametrize("name", NAMES)
def test_wrong_parameters_are_refused_without_the_package(name: str) -> None:
    for parameters, code in (({"epoch": 1}, "unknown"), ({"epochs": "many"}, "invalid")):
        with pytest.raises(LinesideError) as refused:
            trainer(name).signature(("a",), parameters)
        assert refused.value.code == f"training.parameter_{code}"


def test_no_other_extra_installs_them() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in NAMES:
        brings = {extra for extra, wanted in extras.items() if any(name in requirement for requirement in wanted)}
        assert brings == {name}


def test_pictures_and_boxes_as_a_folder(make_job: MakeJob, tmp_path: Path) -> None:
    turned = tmp_path / "turned"
    image = Image.fromarray(np.zeros((40, 80, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # upright when turned by a quarter: 40 wide, 80 high
    image.save(turned, format="JPEG", exif=exif)
    job = make_job(train=[TrainImage(turned, [(1, 10, 20, 20, 40)]), TrainImage(turned, [])], val=[])
    about = yaml.safe_load(write_folder(job, tmp_path / "data").read_text())
    assert about["names"] == {0: "dent", 1: "scratch"}
    assert about["val"] == "images/val"
    with Image.open(tmp_path / "data/images/train/000000.png") as written:
        assert written.size == (40, 80)
    assert (tmp_path / "data/labels/train/000000.txt").read_text() == "1 0.500000 0.500000 0.500000 0.500000\n"
    assert (tmp_path / "data/labels/train/000001.txt").read_text() == ""
    assert (tmp_path / "data/images/val/000001.png").exists()


def test_columns_become_rows() -> None:
    columns = onnx.helper.make_tensor_value_info("output0", onnx.TensorProto.FLOAT, [1, 6, 84])
    images = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 6, 84])
    node = onnx.helper.make_node("Relu", ["images"], ["output0"])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", [images], [columns]),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    session = onnxruntime.InferenceSession(by_row(model).SerializeToString(), providers=["CPUExecutionProvider"])
    given = np.random.default_rng(0).random((1, 6, 84), np.float32)
    (rows,) = session.run(None, {"images": given})
    assert session.get_outputs()[0].shape == [1, 84, 6]
    assert (rows == given.transpose(0, 2, 1)).all()
