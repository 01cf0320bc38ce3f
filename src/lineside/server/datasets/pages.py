"""Pages of the datasets room: all versions, and the pictures of one with their boxes."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from lineside.contract.dataset import Split
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters
from lineside.server.web.render import AnyRequest, Page, page

_A_PAGE = 48


@get("/datasets", sync_to_thread=True, include_in_schema=False)
def datasets_page(request: AnyRequest, datasets: NamedDependency[DatasetsService]) -> Page:
    """Every dataset version."""
    return page(request, "datasets/list.html", here="/datasets", live=True, datasets=datasets.versions())


@get("/datasets/{dataset:str}", sync_to_thread=True, include_in_schema=False)
def dataset_page(
    request: AnyRequest,
    dataset: FromPath[str],
    datasets: NamedDependency[DatasetsService],
    split: FromQuery[str] = "",
    offset: Annotated[int, QueryParameter(ge=0)] = 0,
) -> Page:
    """One version: what it holds, what the import noticed, its pictures; an unknown `split` shows all of them."""
    side = Split(split) if split in {one.value for one in Split} else None
    shown = datasets.images(dataset, Filters(split=side), offset, _A_PAGE)
    version = datasets.version(dataset)
    template, chosen = "datasets/page.html", side.value if side else ""
    return page(request, template, here="/datasets", dataset=version, page=shown, split=chosen, limit=_A_PAGE)


routes = [datasets_page, dataset_page]
