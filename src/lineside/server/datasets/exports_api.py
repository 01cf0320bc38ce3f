"""People's API of what goes out of datasets, and of what is looked at before it comes in."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from lineside.contract.dataset import Looked
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.blobs.api import Digests
from lineside.server.datasets.service import DatasetsService

_MOST = 1000


@post(
    "/datasets/looks",
    sync_to_thread=True,
    status_code=200,
    summary="Look at pictures that were sent, before the folder they belong to is imported",
    opt=needs(Permission.OPERATE),
)
def look_at_pictures(data: JSONBody[Digests], datasets: NamedDependency[DatasetsService]) -> Looked:
    """At most 1000 blobs a request, so that a large import shows where it stands and goes on after a break. What is no
    picture is passed over."""
    if len(data.digests) > _MOST:
        raise LinesideError("request.invalid", why=f"over {_MOST} digests in one request")
    return Looked(pictures=len(datasets.looks.of(data.digests)))


@get("/datasets/{dataset:str}/export", sync_to_thread=True, summary="A dataset version as a folder in a format")
def export_dataset(
    dataset: FromPath[str], datasets: NamedDependency[DatasetsService], format: FromQuery[str] = "coco"
) -> ExportListing:
    """coco, voc, yolo, labelstudio, sagemaker, darknet or csv: which files the folder has; each is a blob. Importing
    that folder makes the same version, but for what `warnings` counts. Where label files for many images are written,
    that takes several requests: `dataset.export_unfinished` says to ask again."""
    return datasets.export(dataset, format)


routes = [look_at_pictures, export_dataset]
