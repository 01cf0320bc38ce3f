"""What a machine can carry, and any way to name a model."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime import carry
from lineside.runtime.carry import LOAD, RATES, Carried, cameras
from lineside.runtime.main import main
from lineside.runtime.try_image import Tried, any_model
from tests.runtime.any_size import CUT, bright_at_any_size
from tests.runtime.conftest import BRIGHT, bright_model, encoded, squares, write_model


def test_cameras_leave_room() -> None:
    found = cameras(100.0)
    assert found[10] == 7
    assert found[30] == 2
    assert all(rate * count <= 100 * LOAD for rate, count in found.items())
    assert cameras(0.5)[1] == 0


def test_each_resolution_is_measured(
    bright_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(carry, "RESOLUTIONS", ((64, 48), (128, 72)))
    (tmp_path / "in.png").write_bytes(encoded(squares((8, 8))))
    arguments = ["carry", str(bright_folder), str(tmp_path / "in.png"), "--seconds", "0.02", "--threads", "1"]
    assert main([*arguments, "--json"]) == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=Carried)
    assert [(one.width, one.height, one.threads) for one in found.points] == [(64, 48, 1), (128, 72, 1)]
    assert (found.model, found.version, found.input) == ("bright", 3, "64 x 64")
    for one in found.points:
        assert 0 < one.p50_ms <= one.p95_ms <= one.p99_ms
        assert one.fps > 0
        assert one.pictures >= 40
        assert one.cameras.keys() == set(RATES)
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "bright:3, input 64 x 64" in shown
    assert "128x72" in shown


def test_an_input_that_leaves_padding_out_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(carry, "RESOLUTIONS", ((64, 48),))
    folder = write_model(tmp_path, CUT, bright_at_any_size())
    assert main(["carry", str(folder), "--seconds", "0.02", "--threads", "1"]) == 0
    assert "input 128 x 96 (without padding)," in capsys.readouterr().out


def test_without_an_image_and_a_golden_set_noise_is_decoded(
    bright_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(carry, "RESOLUTIONS", ((64, 48),))
    assert main(["carry", str(bright_folder), "--seconds", "0.02", "--threads", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"][0]["fps"] > 0


def test_an_onnx_file_goes_with_the_signature_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, image, drawn = tmp_path / "plates.onnx", tmp_path / "in.png", tmp_path / "out.png"
    file.write_bytes(bright_model())
    image.write_bytes(encoded(squares((8, 8))))
    with pytest.raises(LinesideError, match="no signature lies beside it"):
        any_model(file)
    with pytest.raises(LinesideError, match="no such file or folder"):
        any_model(tmp_path / "other.onnx")
    (tmp_path / "plates.signature.json").write_bytes(msgspec.json.encode(BRIGHT))
    assert main(["try", str(file), str(image), "--out", str(drawn), "--json"]) == 0
    tried = msgspec.json.decode(capsys.readouterr().out, type=Tried)
    assert (tried.width, tried.height) == (64, 64)
    assert [(one.x, one.y) for one in tried.detections] == [(8.0, 8.0)]
    assert drawn.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "plates.signature.json").write_text("{")
    assert main(["try", str(file), str(image)]) == 2
    assert "model.description_invalid" in capsys.readouterr().err
