"""Trainers of other packages. What is ours is tested always; the contract, where the package is installed."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.contract.run import FROM_SCRATCH, RunRequest
from lineside.pipeline.step import Results
from lineside.pipeline.steps import collect
from lineside.pipeline.trainers.base import Progress, TrainImage, trainer
from lineside.pipeline.trainers.libreyolo import by_row
from lineside.pipeline.trainers.outside import write_folder
from lineside.pipeline.trainers.ultralytics import NETWORKS, described
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


WRONG: tuple[dict[str, Any], ...] = ({"epochs": "many"}, {"epochs": 0}, {"input_side": 100}, {"device": "0,1"})


@pytest.mark.parametrize("name", NAMES)
def test_wrong_parameters_are_refused_by_the_first_step_without_the_package(name: str) -> None:
    cases = [({"epoch": 1}, "unknown"), *((wrong, "invalid") for wrong in WRONG)]
    for parameters, code in cases:
        with pytest.raises(LinesideError) as refused:
            collect.inputs(RunRequest(model="m", dataset="ds", trainer=name, parameters=parameters), Results({}))
        assert refused.value.code == f"training.parameter_{code}", parameters


@pytest.mark.parametrize(
    "model",
    ["https://e.org/yolov8n.yaml", "ul://a/b", "../yolov8n.yaml", "yolov8n.pt", "yolov8", "", "/x.yaml"],
)
def test_a_network_is_a_name_and_never_a_path_or_an_address(model: str) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer("ultralytics").signature(("a",), {"network": model})
    assert refused.value.code == "training.parameter_invalid"


def test_networks_are_described_by_the_package_itself() -> None:
    trainer("ultralytics").signature(("a",), {"network": "yolo11s"})
    assert described(Path("/package"), "yolo11s") == Path("/package/cfg/models/11/yolo11s.yaml")
    assert {described(Path("/p"), model).parent.name for model in NETWORKS} == {"v8", "11", "12"}


class Trap:
    """Pickled, it is code: whoever reads it without care writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", NAMES)
def test_starting_weights_with_code_are_refused_and_never_run(name: str, make_job: MakeJob, tmp_path: Path) -> None:
    weights, mark = tmp_path / "weights", tmp_path / "ran"
    torch.save({"model": Trap(mark)}, weights)
    with pytest.raises(LinesideError) as refused:
        trainer(name).train(make_job(parameters={}, init=weights), lambda _: None)
    assert refused.value.code == f"training.init_{'refused' if name in FROM_SCRATCH else 'unreadable'}"
    assert not mark.exists()


def test_a_checkpoint_with_code_from_another_worker_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    job, mark = make_job(parameters={}), tmp_path / "ran"
    last = job.workdir / "run/weights/last.pt"
    last.parent.mkdir(parents=True)
    torch.save({"model": Trap(mark)}, last)
    with pytest.raises(LinesideError) as refused:
        trainer("libreyolo").train(job, lambda _: None)
    assert refused.value.code == "training.checkpoint_unreadable"
    assert not mark.exists()


def test_weights_of_tensors_reach_the_package_under_a_name_it_knows(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str | None] = []

    class Package(ModuleType):
        def LibreYOLO9(self, start: str | None, **_: Any) -> Any:
            given.append(start)
            raise LookupError

    weights = tmp_path / "0a1b2c"
    torch.save({"model": {"a": torch.zeros(2)}}, weights)
    monkeypatch.setitem(sys.modules, "libreyolo", Package("libreyolo"))
    made = trainer("libreyolo")
    with pytest.raises(LookupError):
        made.train(make_job(parameters={}, init=weights), lambda _: None)
    with pytest.raises(LookupError):
        made.export(weights, ("a",), {}, tmp_path / "model.onnx")
    assert [Path(one).name for one in given if one] == ["init.pt", "model.pt"]


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
