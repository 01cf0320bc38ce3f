"""People's API of checks, figures, differences and field sets."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.dataset_check import (
    Change,
    CheckReport,
    CheckRequest,
    DatasetDiff,
    DatasetStats,
    FieldReport,
    FieldRequest,
)
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.datasets.fields import FieldSets
from lineside.server.datasets.inspecting import Inspections


@post(
    "/datasets/{dataset:str}/check",
    sync_to_thread=True,
    status_code=200,
    summary="Look for problems of labels and for leaks",
    opt=needs(Permission.OPERATE),
)
def check_dataset(
    dataset: FromPath[str], data: JSONBody[CheckRequest], inspections: NamedDependency[Inspections]
) -> CheckReport:
    """Judges the version's own split, or a random one to show what that would leak. Images that a check of the own
    split is about can then be listed by `finding`."""
    return inspections.check(dataset, data.split)


@get("/datasets/{dataset:str}/stats", sync_to_thread=True, summary="Figures of a dataset version")
def dataset_stats(dataset: FromPath[str], inspections: NamedDependency[Inspections]) -> DatasetStats:
    """Classes, sizes, brightness, boxes an image, groups, sides, sources of labels."""
    return inspections.stats(dataset)


@get("/datasets/{dataset:str}/diff/{other:str}", sync_to_thread=True, summary="What differs between two versions")
def diff_datasets(
    dataset: FromPath[str],
    other: FromPath[str],
    inspections: NamedDependency[Inspections],
    change: FromQuery[Change | None] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> DatasetDiff:
    """What became of `dataset` in `other`: images added and removed, labels and sides changed."""
    return inspections.diff(dataset, other, change, offset, limit)


@post(
    "/field-sets",
    sync_to_thread=True,
    status_code=200,
    summary="Grow the field set of a dataset",
    opt=needs(Permission.OPERATE),
)
def grow_field_set(data: JSONBody[FieldRequest], field_sets: NamedDependency[FieldSets]) -> FieldReport:
    """Adds labelled pictures whose time is known and that no model of the dataset is trained on."""
    return field_sets.grow(data)


routes = [check_dataset, dataset_stats, diff_datasets, grow_field_set]
