"""People's API of the datasets room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.dataset import (
    DatasetPage,
    DatasetVersion,
    ImagePage,
    ImportReport,
    ImportRequest,
    LabelFrom,
    Split,
)
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters


@post(
    "/datasets",
    sync_to_thread=True,
    status_code=200,
    summary="Import a folder whose files were sent as blobs",
    opt=needs(Permission.OPERATE),
)
def import_dataset(data: JSONBody[ImportRequest], datasets: NamedDependency[DatasetsService]) -> ImportReport:
    """Makes an immutable dataset version, or answers with the one that is there; `created` says which."""
    return datasets.import_folder(data)


@get("/datasets", sync_to_thread=True, summary="Dataset versions, newest first")
def list_datasets(
    datasets: NamedDependency[DatasetsService],
    name: FromQuery[str | None] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> DatasetPage:
    """All, or those of one name."""
    return datasets.versions(name, offset, limit)


@get("/datasets/{dataset:str}", sync_to_thread=True, summary="One dataset version")
def get_dataset(dataset: FromPath[str], datasets: NamedDependency[DatasetsService]) -> DatasetVersion:
    return datasets.version(dataset)


@get("/datasets/{dataset:str}/images", sync_to_thread=True, summary="Images of a dataset version with their boxes")
def list_images(
    dataset: FromPath[str],
    datasets: NamedDependency[DatasetsService],
    split: FromQuery[Split | None] = None,
    label: FromQuery[str | None] = None,
    group: FromQuery[str | None] = None,
    source: FromQuery[LabelFrom | None] = None,
    finding: FromQuery[str | None] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ImagePage:
    """In the version's own order, those that pass all filters: side, class, group, source of a label, and what the
    newest check found (check.…)."""
    wanted = Filters(split=split, label=label, group=group, source=source, finding=finding)
    return datasets.images(dataset, wanted, offset, limit)


routes = [import_dataset, list_datasets, get_dataset, list_images]
