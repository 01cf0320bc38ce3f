"""Carries a model version to an MLflow 3 server: a run, and a registered version with the files.

Needs the extra `mlflow`. MLflow's own usage reports to its makers are turned off before it is loaded.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from lineside.client.client import Client
from lineside.client.mlflow_values import Value, curves, metrics, parameters, tags
from lineside.client.model_folder import ModelExport, curves_of, export_folder
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import EVALUATION_SCHEMA, Evaluation
from lineside.contract.model import ModelVersion
from lineside.contract.reading import UNREADABLE
from lineside.contract.registry import LATEST

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # standard output is the answer's
}
_A_BATCH = 500
_FOLDER = "model"


class MlflowExport(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model version is on an MLflow server; `created` is false when it was there already."""

    model: str  # name:version here
    uri: str
    experiment: str
    run: str
    name: str
    version: str
    created: bool


def export_to_mlflow(
    client: Client, model: ModelVersion, uri: str, *, experiment: str = "", name: str = ""
) -> MlflowExport:
    """Log a run and register a version, under the model's own name unless others are given. What was exported before
    is found by its digest, and not made twice; the aliases that point at it now are set in any case.

    Raises `start.extra_missing`, `mlflow.refused`, and what `export_folder` does.
    """
    library = _library()
    server = library.MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment, name = experiment or model.name, name or model.name
    with _explained(library, uri, model.label):
        there = _registered(server, model, name)
        if there is not None:
            _point(server, client, model, there)
            return _answer(model, uri, experiment, there, created=False)
        run = _run(server, model, client.url, experiment)
        try:
            with tempfile.TemporaryDirectory(prefix="lineside-mlflow-") as folder:
                manifest = export_folder(client, model, Path(folder))
                _log(server, run, client, model, Path(folder))
                _describe(library, run, model, manifest, Path(folder))
                server.log_artifacts(run, folder, _FOLDER)
                version = _register(server, run, client, model, name, (Path(folder) / "card.md").read_text("utf-8"))
            _point(server, client, model, version)
            server.set_terminated(run, "FINISHED")
        except BaseException:
            server.set_terminated(run, "FAILED")
            raise
        return _answer(model, uri, experiment, version, created=True)


def _library() -> Any:
    for setting, value in _SETTINGS.items():
        os.environ.setdefault(setting, value)
    try:
        return importlib.import_module("mlflow")
    except ImportError as error:
        raise LinesideError("start.extra_missing", extra="mlflow") from error


@contextmanager
def _explained(library: Any, uri: str, what: str) -> Iterator[None]:
    try:
        yield
    except library.MlflowException as error:
        why = " ".join(str(error).split())[:300].rstrip(".")
        raise LinesideError("mlflow.refused", uri=uri, what=what, why=why) from error


def _registered(server: Any, model: ModelVersion, name: str) -> Any:
    """The version on the server that was made of this one, if its export came to its end."""
    found = server.search_model_versions(f"name = '{name}'")
    wanted = {"lineside.model": model.label, "lineside.digest": model.digest}
    return next((one for one in found if wanted.items() <= dict(one.tags).items()), None)


def _run(server: Any, model: ModelVersion, url: str, experiment: str) -> str:
    known = server.get_experiment_by_name(experiment)
    id_ = known.experiment_id if known is not None else server.create_experiment(experiment)
    started = int(datetime.fromisoformat(model.created_at).timestamp() * 1000)
    run = server.create_run(id_, start_time=started, tags=tags(model, url), run_name=model.label)
    return str(run.info.run_id)


def _log(server: Any, run: str, client: Client, model: ModelVersion, folder: Path) -> None:
    """Parameters, metrics and curves."""
    entities = importlib.import_module("mlflow.entities")
    server.log_batch(run, params=[entities.Param(name, value) for name, value in parameters(model).items()][:100])
    at = int(datetime.fromisoformat(model.created_at).timestamp() * 1000)
    values = [*metrics(model, _evaluation(folder)), *curves(curves_of(client, model))]
    for batch in _batches(values):
        server.log_batch(run, metrics=[entities.Metric(one.name, one.value, at, one.step) for one in batch])


def _evaluation(folder: Path) -> Evaluation | None:
    file = folder / "evaluation.json"
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Evaluation) if file.exists() else None
    except UNREADABLE:
        return None
    return found if found is not None and found.schema == EVALUATION_SCHEMA else None


def _batches(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    for start in range(0, len(values), _A_BATCH):
        yield values[start : start + _A_BATCH]


def _describe(library: Any, run: str, model: ModelVersion, manifest: ModelExport, folder: Path) -> None:
    """`MLmodel`, by which MLflow knows what lies there: an ONNX model, which `mlflow.onnx.load_model` can load."""
    described = {
        "artifact_path": _FOLDER,
        "flavors": {
            "onnx": {
                "data": manifest.ships,
                "onnx_version": "1",
                "providers": ["CPUExecutionProvider"],
                "save_as_external_data": False,
            }
        },
        "mlflow_version": library.__version__,
        "run_id": run,
        "utc_time_created": model.created_at.replace("T", " ").removesuffix("Z"),
        "metadata": {"lineside": model.label, "digest": model.digest},
    }
    (folder / "MLmodel").write_bytes(msgspec.yaml.encode(described))


def _register(server: Any, run: str, client: Client, model: ModelVersion, name: str, card: str) -> Any:
    if not server.search_registered_models(f"name = '{name}'"):
        server.create_registered_model(name, tags={"lineside.model": model.name})
    said = tags(model, client.url)
    return server.create_model_version(
        name, f"runs:/{run}/{_FOLDER}", run, tags=said, description=card, await_creation_for=0
    )


def _point(server: Any, client: Client, model: ModelVersion, version: Any) -> None:
    for alias in client.aliases(model.name):
        if alias.version == model.version and alias.alias != LATEST:
            server.set_registered_model_alias(version.name, alias.alias, version.version)


def _answer(model: ModelVersion, uri: str, experiment: str, version: Any, *, created: bool) -> MlflowExport:
    return MlflowExport(
        model=model.label,
        uri=uri,
        experiment=experiment,
        run=str(version.run_id),
        name=str(version.name),
        version=str(version.version),
        created=created,
    )
