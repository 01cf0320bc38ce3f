"""`lineside runtime`: a model of a folder, or fetched from the control plane, on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.cli.app import run
from lineside.client import Client
from lineside.client.runnable import fetch_runnable
from lineside.contract.errors import LinesideError
from lineside.runtime import carry
from lineside.runtime.golden import write_golden
from lineside.runtime.model import load_folder
from lineside.server.components.testing import model_version
from lineside.server.models.store import ModelRow
from lineside.server.testing import Running, running
from tests.runtime.conftest import BRIGHT, bright_model, encoded, squares, write_model

PNG = encoded(squares((8, 8)))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A control plane with the model tags:1, which finds bright squares."""
    place = tmp_path_factory.mktemp("house")
    folder = write_model(place / "model")
    write_golden(folder / "golden.zip", load_folder(folder, threads=1), {"a.png": PNG})
    with running(place / "root") as lineside:
        core = lineside.core
        made = model_version(core.objects)
        files = {
            "digest": core.objects.put(bright_model()),
            "golden": core.objects.put((folder / "golden.zip").read_bytes()),
        }
        made = msgspec.structs.replace(made, signature=BRIGHT, **files)
        with core.database.write() as session:
            session.add(ModelRow(name="tags", version=1, content="c", registered=made, state=made.state.value))
        yield lineside


def test_a_model_of_the_control_plane_is_tried_on_an_image(
    house: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.png").write_bytes(PNG)
    drawn = tmp_path / "out.png"
    arguments = ["runtime", "try", "tags:1", str(tmp_path / "in.png"), "--out", str(drawn)]
    assert run([*arguments, "--url", house.people_url, "--json"]) == 0
    tried = json.loads(capsys.readouterr().out)
    assert (tried["model"], tried["version"]) == ("tags", 1)
    assert [(one["class"], one["x"], one["y"]) for one in tried["detections"]] == [("bright", 8.0, 8.0)]
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_what_this_machine_carries_is_told_of_a_fetched_model_and_of_a_folder(
    house: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(carry, "RESOLUTIONS", ((64, 48),))
    options = ["--seconds", "0.02", "--threads", "1"]
    assert run(["runtime", "bench", "tags:1", "--url", house.people_url, "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["points"][0]["fps"] > 0
    assert run(["runtime", "bench", str(write_model(tmp_path / "bright")), *options]) == 0
    assert "64x48" in capsys.readouterr().out


def test_a_model_that_is_nowhere_is_one_sentence(
    house: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runtime", "bench", "nobody:1", "--url", house.people_url]) != 0
    assert "nobody" in capsys.readouterr().err
    for nowhere in (str(tmp_path), str(tmp_path / "none"), "none.onnx"):  # of which the control plane is not asked
        assert run(["runtime", "try", nowhere, "none.png", "--url", "http://127.0.0.1:9"]) == 2
        assert "model.missing" in capsys.readouterr().err


def test_a_drawing_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, picture = write_model(tmp_path / "bright"), tmp_path / "a.png"
    picture.write_bytes(encoded(squares((8, 8))))
    assert run(["runtime", "try", str(model), str(picture), "--out", str(tmp_path / "none" / "b.png")]) == 2
    assert "cli.file_unwritable" in capsys.readouterr().err


def test_what_arrives_with_another_digest_is_not_run(house: Running, tmp_path: Path) -> None:
    client = Client(house.people_url)
    model = client.find_model("tags:1")
    other = house.core.objects.put(b"another file")
    client.get_blob = lambda digest: client.connection.send("GET", f"/blobs/{other}")  # type: ignore[method-assign]
    with pytest.raises(LinesideError, match=r"artifact\.digest_mismatch"):
        fetch_runnable(client, model, tmp_path)
