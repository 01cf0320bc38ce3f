"""Pages of the datasets room: all versions, and of one its pictures with boxes, figures, checks, and what differs."""

from __future__ import annotations

import enum
from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.dataset import DatasetVersion, LabelFrom, Split
from lineside.contract.dataset_check import Change, CheckReport, CheckRequest, FieldRequest, JudgedSplit
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.datasets.fields import FieldSets
from lineside.server.datasets.inspecting import Inspections
from lineside.server.datasets.series import FIELD
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters
from lineside.server.web.render import AnyRequest, Page, page, see

_A_PAGE, _VERSIONS = 48, 50
Offset = Annotated[int, QueryParameter(ge=0, le=1 << 40)]

Word = TypeVar("Word", bound=enum.Enum)


@get("/datasets", sync_to_thread=True, include_in_schema=False)
def datasets_page(
    request: AnyRequest, datasets: NamedDependency[DatasetsService], name: FromQuery[str] = "", offset: Offset = 0
) -> Page:
    """Dataset versions, or those of one name."""
    found = datasets.versions(name or None, offset, _VERSIONS)
    return page(
        request,
        "datasets/list.html",
        here="/datasets",
        live=offset == 0,
        page=found,
        name=name,
        query=urlencode({"name": name} if name else {}),
        limit=_VERSIONS,
    )


@get("/datasets/{dataset:str}", sync_to_thread=True, include_in_schema=False)
def dataset_page(
    request: AnyRequest,
    dataset: FromPath[str],
    datasets: NamedDependency[DatasetsService],
    inspections: NamedDependency[Inspections],
    split: FromQuery[str] = "",
    label: FromQuery[str] = "",
    group: FromQuery[str] = "",
    source: FromQuery[str] = "",
    finding: FromQuery[str] = "",
    offset: Offset = 0,
) -> Page:
    """One version: what it holds, what the import noticed, its pictures that pass the filters; words that no filter
    knows filter nothing."""
    version = datasets.version(dataset)
    side, origin = _word(Split, split), _word(LabelFrom, source)
    label = label if label in version.classes else ""
    wanted = Filters(split=side, label=label or None, group=group or None, source=origin, finding=finding or None)
    chosen = {
        "split": side.value if side else "",
        "label": label,
        "group": group,
        "source": origin.value if origin else "",
        "finding": finding,
    }
    return page(
        request,
        "datasets/page.html",
        here="/datasets",
        dataset=version,
        previous=datasets.one_before(version),
        field=datasets.newest(version.name + FIELD),
        checked=inspections.checked(version.id),
        page=datasets.images(version.id, wanted, offset, _A_PAGE),
        sources=[one.value for one in LabelFrom],
        chosen=chosen,
        query=urlencode({name: value for name, value in chosen.items() if value}),
        limit=_A_PAGE,
    )


@get("/datasets/{dataset:str}/figures", sync_to_thread=True, include_in_schema=False)
def figures_page(
    request: AnyRequest,
    dataset: FromPath[str],
    datasets: NamedDependency[DatasetsService],
    inspections: NamedDependency[Inspections],
) -> Page:
    """Figures of one version, drawn."""
    version = datasets.version(dataset)
    stats = inspections.stats(version.id)
    return page(request, "datasets/figures.html", here="/datasets", dataset=version, stats=stats)


@get("/datasets/{dataset:str}/checks", sync_to_thread=True, include_in_schema=False)
def checks_page(
    request: AnyRequest,
    dataset: FromPath[str],
    datasets: NamedDependency[DatasetsService],
    inspections: NamedDependency[Inspections],
) -> Page:
    """What the newest check of one version found."""
    version = datasets.version(dataset)
    return _checks(request, version, inspections.checked(version.id))


@post(
    "/datasets/{dataset:str}/checks",
    sync_to_thread=True,
    status_code=200,
    include_in_schema=False,
    opt=needs(Permission.OPERATE),
)
def check_now(
    request: AnyRequest,
    dataset: FromPath[str],
    data: URLEncodedBody[CheckRequest],
    datasets: NamedDependency[DatasetsService],
    inspections: NamedDependency[Inspections],
) -> Page | Redirect:
    """Check, then look. What a random split would leak is shown at once and not kept."""
    version = datasets.version(dataset)
    report = inspections.check(version.id, data.split)
    if data.split is JudgedSplit.OWN:
        return see(f"/datasets/{quote(version.id)}/checks")
    return _checks(request, version, report)


class GrowForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a person writes to grow a field set: versions or names, with commas between them."""

    sources: str = ""


@post(
    "/datasets/{dataset:str}/field",
    sync_to_thread=True,
    status_code=303,
    include_in_schema=False,
    opt=needs(Permission.OPERATE),
)
def grow_field(
    dataset: FromPath[str],
    data: URLEncodedBody[GrowForm],
    datasets: NamedDependency[DatasetsService],
    field_sets: NamedDependency[FieldSets],
) -> Redirect:
    """Grow the field set of a dataset, then look at it."""
    sources = tuple(one.strip() for one in data.sources.split(",") if one.strip())
    report = field_sets.grow(FieldRequest(name=datasets.version(dataset).name, sources=sources))
    return see(f"/datasets/{quote(report.version.id)}")


@get("/datasets/{dataset:str}/diff/{other:str}", sync_to_thread=True, include_in_schema=False)
def diff_page(
    request: AnyRequest,
    dataset: FromPath[str],
    other: FromPath[str],
    inspections: NamedDependency[Inspections],
    change: FromQuery[str] = "",
    offset: Offset = 0,
) -> Page:
    """What became of one version in another, picture by picture."""
    kind = _word(Change, change)
    diff = inspections.diff(dataset, other, kind, offset, _A_PAGE)
    chosen = kind.value if kind else ""
    return page(request, "datasets/diff.html", here="/datasets", diff=diff, change=chosen, limit=_A_PAGE)


def _checks(request: AnyRequest, version: DatasetVersion, report: CheckReport | None) -> Page:
    return page(request, "datasets/checks.html", here="/datasets", dataset=version, report=report)


def _word(kind: type[Word], text: str) -> Word | None:
    return next((one for one in kind if one.value == text), None)


routes = [datasets_page, dataset_page, figures_page, checks_page, check_now, grow_field, diff_page]
