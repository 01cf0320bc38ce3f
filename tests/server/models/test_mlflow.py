"""Against a real MLflow server, where one is installed: `mlflow` on the PATH, or the program LINESIDE_TEST_MLFLOW."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.client import Client
from lineside.client.mlflow_export import export_to_mlflow
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.registry import PointAlias
from lineside.contract.run import CurvePoint, RunRequest, StepReport, StepState
from lineside.server.testing import Running
from tests.eventually import PATIENCE
from tests.server.models.making import evaluation, put, registration

PROGRAM = os.environ.get("LINESIDE_TEST_MLFLOW") or shutil.which("mlflow")

pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`mlflow server` on SQLite and files, until the module's end."""
    if PROGRAM is None or not _serves(PROGRAM):
        pytest.skip("no MLflow server is installed")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [PROGRAM, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += [
        "--backend-store-uri",
        f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        str(folder / "blobs"),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
    try:
        _until_it_answers(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(PATIENCE)


def _serves(program: str) -> bool:
    """Whether it is all of MLflow: the small one has the command, and cannot serve."""
    found = subprocess.run([program, "server", "--help"], capture_output=True, check=False)
    return found.returncode == 0


def _until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            pytest.skip(f"the MLflow server ends: {log.read_text()[-500:]}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


def _model(lineside: Running, client: Client, number: int = 1) -> Any:
    run = client.start_run(RunRequest(model="tags", dataset=None, kind="import", init=put(lineside.core, evaluation()),
                                      trainer="imported", parameters={"head": "compact", "labels": ["a"]}))  # fmt: skip
    client.claim_run("tests")
    step = msgspec.structs.replace(run.steps[0], state=StepState.RUNNING)
    curve = tuple(CurvePoint(series="val_map50", epoch=epoch, value=epoch / 10) for epoch in (1, 2, 3))
    client.report_step(run.id, StepReport(step=step, curve=curve))
    lineage = msgspec.structs.replace(registration(lineside.core, number).lineage, run=run.id)
    scored = put(lineside.core, evaluation())
    return client.register_model(registration(lineside.core, number, lineage=lineage, evaluation=scored))


@pytest.mark.slow
def test_a_run_and_a_registered_version_with_their_files(
    lineside: Running, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    client = Client(lineside.people_url)
    model = _model(lineside, client)
    client.point_alias("tags", "production", PointAlias(version=1))
    capsys.readouterr()
    made = export_to_mlflow(client, model, server)
    assert capsys.readouterr().out == ""  # there only the command's answer is printed
    assert (made.model, made.name, made.version, made.created) == ("tags:1", "tags", "1", True)
    there = mlflow.MlflowClient(tracking_uri=server, registry_uri=server)
    run = there.get_run(made.run)
    assert run.info.status == "FINISHED"
    assert run.data.params["parameter/epochs"] == "1"
    assert run.data.metrics["evaluation/test/map.high"] == 0.58
    curve = there.get_metric_history(made.run, "train/val_map50")
    assert [(one.step, one.value) for one in curve] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    version = there.get_model_version_by_alias("tags", "production")
    assert version.tags["lineside.digest"] == model.digest
    assert "# tags:1" in version.description
    files = mlflow.artifacts.download_artifacts(
        artifact_uri=f"runs:/{made.run}/model", dst_path=str(tmp_path), tracking_uri=server
    )
    assert digest_of((Path(files) / "variants" / "int8.onnx").read_bytes()) == model.digest
    assert (Path(files) / "manifest.json").exists()
    assert _as_mlflow_knows_it(server, "models:/tags@production") == ["onnx"]


def _as_mlflow_knows_it(server: str, model: str) -> Any:
    """The flavours that the server's own MLflow reads from what was registered."""
    assert PROGRAM is not None
    code = "import sys, json, mlflow; mlflow.set_tracking_uri(sys.argv[1]); "
    code += "print(json.dumps(list(mlflow.models.get_model_info(sys.argv[2]).flavors)))"
    python = Path(PROGRAM).parent / "python"
    done = subprocess.run([python, "-W", "ignore", "-c", code, server, model], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return msgspec.json.decode(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_same_version_is_exported_once(lineside: Running, server: str) -> None:
    client = Client(lineside.people_url)
    model = _model(lineside, client, 7)
    first = export_to_mlflow(client, model, server, name="plates", experiment="line-4")
    again = export_to_mlflow(client, model, server, name="plates", experiment="line-4")
    assert (first.created, again.created) == (True, False)
    assert (again.run, again.version, first.experiment) == (first.run, first.version, "line-4")


def test_a_server_that_is_not_there_is_an_error_with_its_address(lineside: Running) -> None:
    client = Client(lineside.people_url)
    model = client.register_model(registration(lineside.core))
    with pytest.raises(LinesideError, match=r"^mlflow.refused:.*127.0.0.1:9"):
        export_to_mlflow(client, model, "http://127.0.0.1:9")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_an_alias_is_set_also_when_the_version_was_there_before(
    lineside: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that broke off after the version was registered, or an alias that moved since: here with MLflow's own
    store of files in the place of a server."""
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client, store = Client(lineside.people_url), (tmp_path / "mlflow").as_uri()
    model = client.register_model(registration(lineside.core))
    first = export_to_mlflow(client, model, store)
    client.point_alias("tags", "production", PointAlias(version=1))
    again = export_to_mlflow(client, model, store)
    assert (first.created, again.created) == (True, False)
    there = mlflow.MlflowClient(tracking_uri=store, registry_uri=store)
    assert str(there.get_model_version_by_alias("tags", "production").version) == first.version
