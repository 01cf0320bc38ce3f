"""A model version as a folder: every file by its digest, fetched once, nothing kept that arrived wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineside.client import Client
from lineside.client.mlflow_values import curves, metrics, named, parameters, tags
from lineside.client.model_folder import ModelExport, export_folder
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import Evaluation
from lineside.contract.ids import digest_of
from lineside.contract.model import ModelVersion
from lineside.contract.run import CurvePoint
from lineside.server.testing import Running
from tests.server.models.making import evaluation, put, registration


@pytest.fixture
def client(lineside: Running) -> Client:
    return Client(lineside.people_url)


def made(lineside: Running, client: Client, number: int = 1) -> ModelVersion:
    return client.register_model(registration(lineside.core, number, evaluation=put(lineside.core, evaluation())))


def test_the_folder_holds_what_the_manifest_says(lineside: Running, client: Client, tmp_path: Path) -> None:
    model = made(lineside, client)
    manifest = export_folder(client, model, tmp_path / "out")
    assert manifest == msgspec.json.decode((tmp_path / "out" / "manifest.json").read_bytes(), type=ModelExport)
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {*manifest.files, "manifest.json"}
    for path, file in manifest.files.items():
        data = (tmp_path / "out" / path).read_bytes()
        assert (digest_of(data), len(data)) == (file.digest, file.size)
    assert (manifest.ships, manifest.files[manifest.ships].digest) == ("variants/int8.onnx", model.digest)
    assert msgspec.json.decode((tmp_path / "out" / "model.json").read_bytes(), type=ModelVersion) == model
    assert msgspec.json.decode((tmp_path / "out" / "evaluation.json").read_bytes(), type=Evaluation) == evaluation()
    assert (tmp_path / "out" / "card.md").read_text().startswith("# tags:1")


def test_a_second_export_fetches_only_what_is_not_right(lineside: Running, client: Client, tmp_path: Path) -> None:
    model = made(lineside, client)
    export_folder(client, model, tmp_path)
    (tmp_path / "variants" / "fp32.onnx").write_bytes(b"cut off")
    fetched = client.audit(action="blob.export").total
    export_folder(client, model, tmp_path)
    assert client.audit(action="blob.export").total == fetched + 1
    assert digest_of((tmp_path / "variants" / "fp32.onnx").read_bytes()) == model.variants[0].digest


def test_what_arrives_wrong_is_not_kept(lineside: Running, client: Client, tmp_path: Path) -> None:
    model = made(lineside, client)
    digits = model.digest.removeprefix("sha256:")
    (stored,) = (path for path in lineside.core.root.rglob(f"*{digits[8:]}") if path.is_file())
    stored.chmod(0o600)
    stored.write_bytes(b"rot")
    with pytest.raises(LinesideError) as caught:
        export_folder(client, model, tmp_path)
    assert caught.value.code in ("artifact.digest_mismatch", "blob.damaged")
    assert not (tmp_path / "variants" / "int8.onnx").exists()
    assert not (tmp_path / "manifest.json").exists()


def test_a_name_that_climbs_stays_in_the_folder(lineside: Running, client: Client, tmp_path: Path) -> None:
    hostile = [msgspec.structs.replace(one, name=f"../../{one.name}") for one in registration(lineside.core).variants]
    model = client.register_model(registration(lineside.core, variants=tuple(hostile)))
    manifest = export_folder(client, model, tmp_path / "deep" / "out")
    assert all(".." not in path for path in manifest.files)
    assert {path.name for path in tmp_path.iterdir()} == {"root", "deep"}  # root is the control plane's
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("test/class/dent", "test/class/dent"),
        ("a//b", "a/_/b"),
        ("../x", "_/x"),
        ("class/..", "class/_"),
        ("ö:1|2", "_1_2".rjust(5, "_")),
        ("", "_"),
        ("x" * 300, "x" * 250),
    ],
)
def test_names_become_names_that_mlflow_takes(ours: str, theirs: str) -> None:
    assert named(ours) == theirs


def test_a_run_says_parameters_scores_intervals_and_curves(lineside: Running, client: Client) -> None:
    model = made(lineside, client, 2)
    said = parameters(model)
    assert (said["parameter/epochs"], said["dataset"], said["labels"]) == ("2", "ds-1", "dent, scratch")
    values = {one.name: one.value for one in metrics(model, evaluation())}
    assert (values["test/map"], values["variant/int8/latency_ms"]) == (0.52, 4.0)
    assert (values["evaluation/test/map"], values["evaluation/test/map.low"]) == (0.51, 0.42)
    assert values["evaluation/test/slice/brightness/dark"] == 0.2
    assert (values["gate/minimum_map/value"], values["gate/minimum_map/passed"]) == (0.5, 1.0)
    (point,) = curves([CurvePoint(series="loss/box", epoch=3, value=0.5)])
    assert tuple(point) == ("train/loss/box", 0.5, 3)
    assert tags(model, "http://here")["lineside.url"] == "http://here/models/tags/1"
