"""Both engines give the same answers to the same file, and say why they cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.engines import ENGINES, engine_of
from lineside.runtime.model import Model, load_folder
from tests.runtime.conftest import BRIGHT, bright_model, encoded, squares, write_model

pytest.importorskip("openvino")


def test_openvino_finds_what_onnxruntime_finds(bright: Model, tmp_path: Path) -> None:
    folder = write_model(tmp_path, msgspec.structs.replace(BRIGHT, engine="openvino"))
    other = load_folder(folder, threads=1)
    picture = encoded(squares((24, 40), (8, 8)))
    found = other.detect(picture)
    assert len(found) == 2
    for mine, theirs in zip(bright.detect(picture), found, strict=True):
        assert (mine.x, mine.y, mine.width, mine.height) == (theirs.x, theirs.y, theirs.width, theirs.height)
        assert mine.confidence == pytest.approx(theirs.confidence, abs=1e-5)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_an_engine_says_what_the_file_takes_and_gives(name: str) -> None:
    engine = engine_of(bright_model(), msgspec.structs.replace(BRIGHT, engine=name), 1)
    assert [(port.name, port.shape, port.element) for port in engine.inputs] == [("images", (1, 3, 64, 64), "float32")]
    assert [(port.name, port.shape) for port in engine.outputs] == [("output", (1, 84, 5))]
    first = engine.run(np.zeros((1, 3, 64, 64), np.float32))[0]
    second = engine.run(np.ones((1, 3, 64, 64), np.float32))[0]
    assert (first[..., 4] == 0).all()  # what was answered before stays what it was
    assert second[..., 4] == pytest.approx(1.0)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_what_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(LinesideError, match=r"model\.unreadable"):
        engine_of(b"no model", msgspec.structs.replace(BRIGHT, engine=name), 1)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_tensor_of_another_shape_is_refused(name: str) -> None:
    engine = engine_of(bright_model(), msgspec.structs.replace(BRIGHT, engine=name), 1)
    with pytest.raises(LinesideError, match=r"model\.run_failed"):
        engine.run(np.zeros((1, 3, 32, 32), np.float32))


def test_an_unknown_engine_is_named_with_the_known_ones() -> None:
    with pytest.raises(LinesideError, match="onnxruntime, openvino"):
        engine_of(bright_model(), msgspec.structs.replace(BRIGHT, engine="mystery"), 1)


def test_without_the_package_the_answer_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(LinesideError) as caught:
        engine_of(bright_model(), msgspec.structs.replace(BRIGHT, engine="openvino"), 1)
    assert caught.value.code == "model.engine_missing"
    assert "lineside[openvino]" in caught.value.next


def test_nothing_is_reported_to_the_makers_of_openvino() -> None:
    code = (
        "import sys; from lineside.runtime.engines.openvino import _package; _package();"
        "print([name for name, module in sys.modules.items() if module and name.startswith('openvino_telemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
