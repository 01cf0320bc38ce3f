"""Dashboard pages of captures and of collections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.capture import CaptureFilter
from lineside.contract.collection import RANDOM, REQUESTED, CollectionRequest
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.captures.collections import Collections
from lineside.server.captures.scheduled import ScheduledCollections
from lineside.server.captures.service import CapturesService
from lineside.server.web.render import AnyRequest, Page, fragment, page, see

_A_PAGE = 60
_A_FEW = 12
_OPERATE = needs(Permission.OPERATE)


class CollectForm(msgspec.Struct, frozen=True, kw_only=True):
    """A collection, as the form says it; `until` is a day, to its end in UTC."""

    group: str
    count: int
    until: str
    classes: str = ""
    random: bool = False


@get("/captures", sync_to_thread=True, include_in_schema=False)
def captures_page(
    request: AnyRequest,
    captures: NamedDependency[CapturesService],
    device: FromQuery[str] = "",
    strategy: FromQuery[str] = "",
    model: FromQuery[str] = "",
    collection: Annotated[str, QueryParameter(name="request")] = "",
    day: FromQuery[str] = "",
    before: FromQuery[str] = "",
    offset: Annotated[int, QueryParameter(ge=0, le=1 << 40)] = 0,
) -> Page:
    """Uploaded captures, newest first: all, or of a device, a reason, a model, a collection, a day of arrival."""
    said = {"device": device, "strategy": strategy, "model": model, "request": collection}
    since, until = _day(day)
    which = CaptureFilter(**{name: value or None for name, value in said.items()}, since=since, until=until)
    return page(
        request,
        "captures/list.html",
        here="/captures",
        live=not before and offset == 0,
        page=captures.page(which, offset, _A_PAGE, before or None),
        strategies=sorted(captures.counts()),
        models=captures.models(),
        which=said | {"day": day},
        query=urlencode({name: value for name, value in (said | {"day": day}).items() if value}),
        filters=urlencode({name: value for name, value in (said | {"since": since, "until": until}).items() if value}),
        older=urlencode,
    )


@get("/captures/of/{device:str}", sync_to_thread=True, include_in_schema=False)
def captures_of(device: FromPath[str], captures: NamedDependency[CapturesService]) -> Page:
    """The newest captures of a device, as a part of its page."""
    found = captures.page(CaptureFilter(device=device), 0, _A_FEW)
    return fragment("captures/of_device.html", page=found, device=device)


@get("/collections", sync_to_thread=True, include_in_schema=False)
def collections_page(
    request: AnyRequest,
    collections: NamedDependency[Collections],
    scheduled_collections: NamedDependency[ScheduledCollections],
    offset: Annotated[int, QueryParameter(ge=0, le=1 << 40)] = 0,
) -> Page:
    """Collections and their schedules, and a form that begins one."""
    return page(
        request,
        "captures/collections.html",
        here="/collections",
        live=offset == 0,
        page=collections.page(offset, _A_PAGE),
        schedules=scheduled_collections.all(),
        groups=collections.groups(),
        offset=offset,
        limit=_A_PAGE,
    )


@post("/collections", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def begin_by_form(data: URLEncodedBody[CollectForm], collections: NamedDependency[Collections]) -> Redirect:
    """Ask a group for images."""
    request = CollectionRequest(
        group=data.group.strip(),
        count=data.count,
        until=_day(data.until)[1] or data.until,
        classes=tuple(name.strip() for name in data.classes.split(",") if name.strip()),
        strategy=RANDOM if data.random else REQUESTED,
    )
    return see(f"/collections/{collections.begin(request).id}")


@get("/collections/{collection:str}", sync_to_thread=True, include_in_schema=False)
def collection_page(
    request: AnyRequest,
    collection: FromPath[str],
    collections: NamedDependency[Collections],
    captures: NamedDependency[CapturesService],
    offset: Annotated[int, QueryParameter(ge=0, le=1 << 40)] = 0,
) -> Page:
    """The report of a collection, and its newest images."""
    return page(
        request,
        "captures/collection.html",
        here="/collections",
        live=offset == 0,
        found=collections.get(collection, offset, _A_PAGE),
        page=captures.page(CaptureFilter(request=collection), 0, _A_FEW),
        offset=offset,
        limit=_A_PAGE,
    )


@post("/collections/{collection:str}/cancel", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def cancel_by_form(collection: FromPath[str], collections: NamedDependency[Collections]) -> Redirect:
    """End a collection by hand."""
    return see(f"/collections/{collections.cancel(collection).id}")


def _day(day: str) -> tuple[str | None, str | None]:
    """The beginning and the end of a day in UTC; nothing where none is said."""
    try:
        begins = datetime.fromisoformat(day).replace(tzinfo=UTC)
    except ValueError:
        return None, None
    return begins.isoformat(), (begins + timedelta(days=1)).isoformat()


routes = [captures_page, captures_of, collections_page, begin_by_form, collection_page, cancel_by_form]
