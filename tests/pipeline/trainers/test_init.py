from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lineside.contract.errors import LinesideError
from lineside.pipeline.quantize import quantize
from lineside.pipeline.trainers.base import Progress, trainer
from lineside.pipeline.trainers.compact_net import CompactNet, CompactOutput
from lineside.pipeline.trainers.init import initialize
from lineside.pipeline.trainers.yolox_net import YoloxNet, YoloxOutput
from tests.pipeline.trainers.conftest import SMALL, MakeJob

PICTURES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
LABELS = ("dent", "scratch")


def nano(classes: int) -> YoloxNet:
    return YoloxNet(classes, 0.25, 0.33, depthwise=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An exported ONNX file of either trainer."""
    folder = tmp_path_factory.mktemp("trained")
    found = {}
    for name, net in (("yolox", nano(2)), ("compact", CompactNet(2))):
        state = folder / f"{name}.pt"
        with torch.random.fork_rng(devices=[]):
            torch.save({"net": net.train().state_dict()}, state)
        found[name] = folder / f"{name}.onnx"
        trainer(name).export(state, LABELS, SMALL, found[name])
    return found


@pytest.mark.parametrize(
    ("name", "make", "output"),
    [("yolox", nano, YoloxOutput), ("compact", CompactNet, CompactOutput)],
)
@pytest.mark.parametrize("shift", [0.0, 1.0])  # whatever pictures the batch norms are measured on
def test_a_network_started_from_an_export_equals_it(
    name: str,
    make: Callable[[int], nn.Module],
    output: Callable[[nn.Module], nn.Module],
    shift: float,
    trained: dict[str, Path],
) -> None:
    net = make(2)
    assert "none is new" in initialize(net, trained[name], PICTURES + shift, ())
    session = onnxruntime.InferenceSession(trained[name], providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"images": PICTURES[:1].numpy()})
    with torch.inference_mode():
        actual = output(net).eval()(PICTURES[:1]).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_what_is_new_is_named(trained: dict[str, Path]) -> None:
    message = initialize(nano(5), trained["yolox"], PICTURES, ("head.cls_preds.",))
    assert "110 of 113 convolutions" in message
    for level in range(3):
        assert f"head.cls_preds.{level}.weight" in message
        assert f"head.cls_preds.{level}.bias" in message


def test_training_says_what_it_started_from(make_job: MakeJob, trained: dict[str, Path]) -> None:
    said: list[Progress] = []
    job = make_job(init=trained["yolox"], labels=("a", "b", "c"), parameters=SMALL | {"epochs": 1})
    trainer("yolox").train(job, said.append)
    assert (said[0].epoch, said[1].epoch) == (0, 1)
    assert "head.cls_preds.2.bias" in said[0].message


def test_a_torch_state_dictionary_serves_too(tmp_path: Path) -> None:
    source = nano(80)
    file = tmp_path / "yolox_nano.pth"
    torch.save({"model": source.state_dict(), "start_epoch": 300}, file)
    net = nano(1)
    message = initialize(net, file, PICTURES, ("head.cls_preds.",))
    assert "head.cls_preds.0.weight" in message
    assert torch.equal(net.backbone.lateral_conv0.conv.weight, source.backbone.lateral_conv0.conv.weight)


def test_weights_that_do_not_fit_are_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    int8, other = tmp_path / "int8.onnx", tmp_path / "other.pth"
    quantize(trained["yolox"], int8, [PICTURES[:1].numpy()])
    torch.save(CompactNet(1).state_dict(), other)
    for file in (trained["compact"], int8, other):
        with pytest.raises(LinesideError) as refused:
            initialize(nano(2), file, PICTURES, ("head.cls_preds.",))
        assert refused.value.code == "training.init_mismatch"


@pytest.mark.parametrize("content", [None, b"", b"no weights at all", b"PK\x03\x04 torn", b"\x80\x02 torn"])
def test_a_file_that_is_no_weights_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LinesideError) as refused:
        initialize(nano(2), file, PICTURES, ())
    assert refused.value.code in ("training.init_unreadable", "training.init_mismatch")


@pytest.mark.real_data
def test_the_published_network_is_reproduced(yolox_nano: Path) -> None:
    net = nano(80)
    pictures = torch.rand(4, 3, 416, 416, generator=torch.Generator().manual_seed(1)) * 255
    message = initialize(net, yolox_nano, pictures, ())
    assert "113 of 113 convolutions" in message
    session = onnxruntime.InferenceSession(yolox_nano, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"images": pictures[:1].numpy()})
    with torch.inference_mode():
        actual = YoloxOutput(net).eval()(pictures[:1]).numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-3)
