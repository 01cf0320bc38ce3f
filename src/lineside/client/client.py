"""Every operation of people's API, one method each. Raises what `Connection` raises."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from lineside.client.approvals import Approvals
from lineside.client.audit import AuditTrail
from lineside.client.broker import Brokers
from lineside.client.connection import Connection, path
from lineside.client.deliveries import Delivering
from lineside.client.deploying import Deploying
from lineside.client.fleet import Fleet
from lineside.client.groups import Groups
from lineside.client.measures import Measuring
from lineside.client.people import People
from lineside.client.rollouts import Rollouts
from lineside.client.secrets import Secrets
from lineside.client.trust import Trust
from lineside.client.twins import Twins
from lineside.client.webhooks import Telling
from lineside.contract.capture import Capture, CapturePage
from lineside.contract.component import AddComponent, Component, ComponentDetails
from lineside.contract.dataset import DatasetVersion, ImagePage, ImportReport, ImportRequest
from lineside.contract.deployment import Deployment, DeploymentDocument
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.event import EventPage
from lineside.contract.export import ExportPage
from lineside.contract.ids import digest_of
from lineside.contract.model import ImportModel, ModelVersion, RegisterModel
from lineside.contract.overview import Overview
from lineside.contract.result import ResultPage
from lineside.contract.run import CachedStep, CurvePoint, Run, RunFinish, RunRequest, StepReport

_JSON = "application/json"


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _saved(pieces: Iterable[bytes], target: Path) -> Path:
    """Written beside the target and renamed in when all of it is on the disk."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target


class Client(
    Approvals,
    Brokers,
    Delivering,
    Deploying,
    Fleet,
    Groups,
    People,
    Rollouts,
    Trust,
    AuditTrail,
    Secrets,
    Telling,
    Twins,
    Measuring,
):
    """A control plane, seen through its API."""

    def __init__(self, url: str, token: str | None = None, ca: str | None = None) -> None:
        """Without `token` only what strangers may see is answered; `ca`: see `Connection`."""
        self.connection = Connection(url, token, ca)

    @property
    def url(self) -> str:
        return self.connection.url

    # --- the whole ------------------------------------------------------------------------------------------------

    def overview(self) -> Overview:
        """The loop with a live count at each stage, and what needs a person."""
        return self.connection.call("GET", "/overview", Overview)

    def events(self, *, before: int | None = None, limit: int = 100, kind: str | None = None) -> EventPage:
        """What happened, newest first."""
        return self.connection.call("GET", "/events", EventPage, query={"before": before, "limit": limit, "kind": kind})

    # --- blobs ----------------------------------------------------------------------------------------------------

    def blobs_missing(self, digests: list[str]) -> list[str]:
        """Which of these the control plane does not have yet."""
        return self.connection.call("POST", "/blobs/missing", dict[str, list[str]], body={"digests": digests})[
            "missing"
        ]

    def put_blob(self, data: bytes) -> str:
        """Store bytes; answers their digest."""
        digest = digest_of(data)
        self.connection.send("PUT", path("blobs", digest), data=data)
        return digest

    def put_blob_file(self, file: Path, digest: str) -> str:
        """Store a file, streamed, under the digest the caller computed."""
        with file.open("rb") as stream:
            self.connection.send("PUT", path("blobs", digest), data=stream)
        return digest

    def get_blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        return self.connection.send("GET", path("blobs", digest))

    def fetch_blob(self, digest: str, target: Path) -> Path:
        """A blob as a file: written beside it, checked by the caller's reader, renamed in."""
        return _saved(self.connection.stream(path("blobs", digest)), target)

    # --- datasets -------------------------------------------------------------------------------------------------

    def import_dataset(self, request: ImportRequest) -> ImportReport:
        """Make a dataset version from files whose blobs are there; see `lineside.client.folder` for a whole folder."""
        return self.connection.call("POST", "/datasets", ImportReport, body=request)

    def datasets(self) -> list[DatasetVersion]:
        """All dataset versions, newest first."""
        return self.connection.call("GET", "/datasets", list[DatasetVersion])

    def dataset(self, dataset: str) -> DatasetVersion:
        """One dataset version."""
        return self.connection.call("GET", path("datasets", dataset), DatasetVersion)

    def dataset_images(self, dataset: str, *, split: str | None = None, offset: int = 0, limit: int = 500) -> ImagePage:
        """Images of a dataset version with their boxes."""
        return self.connection.call(
            "GET",
            path("datasets", dataset, "images"),
            ImagePage,
            query={"split": split, "offset": offset, "limit": limit},
        )

    # --- runs -----------------------------------------------------------------------------------------------------

    def start_run(self, request: RunRequest) -> Run:
        """Queue a run; a worker takes it."""
        return self.connection.call("POST", "/runs", Run, body=request)

    def runs(self) -> list[Run]:
        """All runs, newest first."""
        return self.connection.call("GET", "/runs", list[Run])

    def run(self, run: str) -> Run:
        """One run with its steps."""
        return self.connection.call("GET", path("runs", run), Run)

    def run_curves(self, run: str) -> list[CurvePoint]:
        """The training curves of a run."""
        return self.connection.call("GET", path("runs", run, "curves"), list[CurvePoint])

    def cancel_run(self, run: str) -> Run:
        """Stop a run; what finished steps made stays."""
        return self.connection.call("POST", path("runs", run, "cancel"), Run)

    def claim_run(self, worker: str) -> Run | None:
        """For workers: the next run to work on, if there is one."""
        raw = self.connection.send("POST", "/runs/claim", data=_json({"worker": worker}), content_type=_JSON)
        return msgspec.json.decode(raw, type=Run) if raw else None

    def report_step(self, run: str, report: StepReport) -> None:
        """For workers: where a step stands."""
        self.connection.send("POST", path("runs", run, "steps"), data=_json(report), content_type=_JSON)

    def finish_run(self, run: str, finish: RunFinish) -> Run:
        """For workers: the last word on a run."""
        return self.connection.call("POST", path("runs", run, "finish"), Run, body=finish)

    def cached_step(self, key: str) -> CachedStep | None:
        """For workers: what a step with this key made before."""
        try:
            return self.connection.call("GET", path("steps", key), CachedStep)
        except LinesideError as error:
            if error.kind is Kind.MISSING:
                return None
            raise

    def cache_step(self, step: CachedStep) -> None:
        """For workers: remember what a step made."""
        self.connection.send("PUT", path("steps", step.key), data=_json(step), content_type=_JSON)

    # --- models ---------------------------------------------------------------------------------------------------

    def register_model(self, model: RegisterModel) -> ModelVersion:
        """For workers: register what a run made; the same content again answers with the version that is there."""
        return self.connection.call("POST", "/models", ModelVersion, body=model)

    def import_model(self, request: ImportModel) -> Run:
        """Start a run that checks and registers a model trained elsewhere; its file was sent as a blob before."""
        return self.connection.call("POST", "/models/import", Run, body=request)

    def models(self) -> list[ModelVersion]:
        """All model versions, newest first."""
        return self.connection.call("GET", "/models", list[ModelVersion])

    def model(self, name: str, version: int) -> ModelVersion:
        """One model version."""
        return self.connection.call("GET", path("models", name, version), ModelVersion)

    # --- components, deployments, rollouts ------------------------------------------------------------------------

    def components(self) -> list[Component]:
        """All component versions, newest first."""
        return self.connection.call("GET", "/components", list[Component])

    def component(self, name: str, version: str) -> ComponentDetails:
        """One component version: its recipe, who signed it, which devices run it."""
        return self.connection.call("GET", path("components", name, version), ComponentDetails)

    def add_component(self, request: AddComponent) -> Component:
        """Add a component of one's own; see `lineside.client.own_component` for a recipe file with its artifacts."""
        return self.connection.call("POST", "/components", Component, body=request)

    def deploy(self, document: DeploymentDocument) -> Deployment:
        """Deploy components to a group; the same document again answers with the deployment that is there."""
        return self.connection.call("POST", "/deployments", Deployment, body=document)

    def deployments(self) -> list[Deployment]:
        """All deployments, newest first."""
        return self.connection.call("GET", "/deployments", list[Deployment])

    def deployment(self, deployment: str) -> Deployment:
        """One deployment."""
        return self.connection.call("GET", path("deployments", deployment), Deployment)

    def bundle(self, target: Path, *, device: str | None = None, group: str | None = None) -> Path:
        """What a device should run, or the devices of a group, as one signed file to be carried by hand."""
        return _saved(self.connection.stream("/bundles", {"device": device, "group": group}), target)

    # --- what the fleet saw ---------------------------------------------------------------------------------------

    def results(self, *, after: int | None = None, device: str | None = None, limit: int = 100) -> ResultPage:
        """Results after an id, oldest first; without `after` the newest `limit`."""
        return self.connection.call(
            "GET", "/results", ResultPage, query={"after": after, "device": device, "limit": limit}
        )

    def captures(
        self, *, device: str | None = None, strategy: str | None = None, offset: int = 0, limit: int = 100
    ) -> CapturePage:
        """Uploaded captures, newest first."""
        return self.connection.call(
            "GET",
            "/captures",
            CapturePage,
            query={"device": device, "strategy": strategy, "offset": offset, "limit": limit},
        )

    def capture(self, capture: str) -> Capture:
        """One capture; its image is the blob `record.digest`."""
        return self.connection.call("GET", path("captures", capture), Capture)

    def device_exports(self, name: str, *, offset: int = 0, limit: int = 100) -> ExportPage:
        """Files that a device's components exported, newest first; the content is the blob `record.digest`."""
        query = {"offset": offset, "limit": limit}
        return self.connection.call("GET", path("devices", name, "exports"), ExportPage, query=query)
