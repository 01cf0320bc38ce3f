from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lineside.contract.errors import LinesideError
from lineside.pipeline import export
from lineside.pipeline.quantize import quantize, tail
from lineside.pipeline.trainers.base import trainer
from lineside.pipeline.trainers.compact_net import CompactNet
from lineside.pipeline.trainers.yolox_net import YoloxNet
from lineside.runtime.decode import Picture
from lineside.runtime.model import load
from lineside.runtime.preprocess import Preprocessor
from tests.pipeline.trainers.conftest import SMALL

LABELS = ("dent", "scratch")
PARAMETERS = SMALL | {"input_width": 96}
NETS = {"compact": CompactNet(2), "yolox": YoloxNet(2, 0.25, 0.33, depthwise=True)}


@pytest.fixture(scope="module", params=["compact", "yolox"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Which trainer, and its exported file."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.save({"net": NETS[request.param].state_dict()}, folder / "final.pt")
    trainer(request.param).export(folder / "final.pt", LABELS, PARAMETERS, folder / "fp32.onnx")
    assert sorted(file.name for file in folder.iterdir()) == ["final.pt", "fp32.onnx"]
    return request.param, folder / "fp32.onnx"


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8))


def test_a_device_can_run_it(exported: tuple[str, Path]) -> None:
    name, file = exported
    model = load(file, trainer(name).signature(LABELS, PARAMETERS), threads=1)
    found = model.detect(Picture.of(np.asarray(picture())), score_threshold=0.0)
    assert all(one.label in LABELS for one in found)


def test_it_takes_any_size_without_padding(exported: tuple[str, Path]) -> None:
    name, file = exported
    signature = trainer(name).signature(LABELS, PARAMETERS)
    shape = onnx.load(file).graph.input[0].type.tensor_type.shape.dim
    assert [one.dim_value or one.dim_param for one in shape] == [1, 3, "height", "width"]
    model = load(file, signature, threads=1)
    assert signature.size_divisor == 32
    wide = Picture.of(np.asarray(picture())[:30])
    small = msgspec.structs.replace(signature, input_width=96, input_height=32)
    assert model.detect(wide, score_threshold=0.0) == load(file, small, threads=1).detect(wide, score_threshold=0.0)


def test_int8_runs_and_its_tail_is_float(exported: tuple[str, Path], tmp_path: Path) -> None:
    name, file = exported
    signature = trainer(name).signature(LABELS, PARAMETERS)
    tensor, _ = Preprocessor(signature)(Picture.of(np.asarray(picture())))
    int8 = tmp_path / "int8.onnx"
    quantize(file, int8, (tensor for _ in range(2)))
    assert int8.stat().st_size < 0.6 * file.stat().st_size
    load(int8, signature, threads=1)
    graph = onnx.load(int8).graph
    kinds = {node.name: node.op_type for node in graph.node}
    assert "QuantizeLinear" not in {kinds[name] for name in tail(graph)}
    quantized = [
        node for node in graph.node if node.op_type == "Conv" and node.input[1].endswith("_DequantizeLinear_Output")
    ]
    assert len(quantized) > 20


def test_the_tail_is_what_no_convolution_follows() -> None:
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["a"], "first"),
        onnx.helper.make_node("Relu", ["a"], ["b"], "between"),
        onnx.helper.make_node("Conv", ["b", "w"], ["c"], "last"),
        onnx.helper.make_node("Exp", ["c"], ["d"], "decode"),
    ]
    graph = onnx.helper.make_graph(nodes, "g", [], [])
    assert sorted(tail(graph)) == ["decode", "last"]


def test_quantizing_needs_pictures_and_a_model(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no model")
    for tensors, code in (([], "quantize.no_tensors"), ([np.zeros((1, 3, 64, 64), np.float32)], "quantize.failed")):
        with pytest.raises(LinesideError) as refused:
            quantize(wrong, tmp_path / "int8.onnx", tensors)
        assert refused.value.code == code
    assert not (tmp_path / "int8.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_a_checkpoint_that_is_none_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "final.pt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LinesideError) as refused:
        trainer("compact").export(file, LABELS, PARAMETERS, tmp_path / "model.onnx")
    assert refused.value.code == "training.checkpoint_unreadable"


def test_a_checkpoint_for_other_labels_is_refused(tmp_path: Path) -> None:
    torch.save({"net": CompactNet(2).state_dict()}, tmp_path / "final.pt")
    with pytest.raises(LinesideError) as refused:
        trainer("compact").export(tmp_path / "final.pt", ("one",), PARAMETERS, tmp_path / "model.onnx")
    assert refused.value.code == "training.checkpoint_unreadable"


def test_an_export_that_differs_is_not_written(tmp_path: Path) -> None:
    class Drifting(nn.Module):
        """Answers something else each time, which no graph can."""

        times = 0

        def forward(self, x: Tensor) -> Tensor:
            self.times += 1
            return x + self.times

    with pytest.raises(LinesideError) as refused:
        export.export_onnx(Drifting().eval(), [(1, 3, 8, 8)], tmp_path / "model.onnx")
    assert refused.value.code == "export.differs"
    assert not (tmp_path / "model.onnx").exists()
