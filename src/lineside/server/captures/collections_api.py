"""The APIs of collections: people ask for images, devices hear their part and tell what they kept."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from lineside.contract.collection import (
    CaptureProgress,
    CaptureRequest,
    Collection,
    CollectionPage,
    CollectionRequest,
    CollectionSchedule,
    ScheduledCollection,
)
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.captures.collections import Collections
from lineside.server.captures.scheduled import ScheduledCollections

_OPERATE = needs(Permission.OPERATE)
_Offset = Annotated[int, QueryParameter(ge=0, le=2**53)]
_Limit = Annotated[int, QueryParameter(ge=1, le=1000)]


@get("/collections", sync_to_thread=True, summary="Collections, newest first")
def list_collections(
    collections: NamedDependency[Collections], offset: _Offset = 0, limit: _Limit = 100
) -> CollectionPage:
    """Each with its sums: asked, kept, uploaded, refused and why."""
    return collections.page(offset, limit)


@post("/collections", sync_to_thread=True, summary="Ask a group for images", opt=_OPERATE)
def begin_collection(data: JSONBody[CollectionRequest], collections: NamedDependency[Collections]) -> Collection:
    """Spread over the accepted devices of the group; ends when complete, or at its time."""
    return collections.begin(data)


@get("/collections/{collection:str}", sync_to_thread=True, summary="One collection and its devices")
def get_collection(
    collection: FromPath[str], collections: NamedDependency[Collections], offset: _Offset = 0, limit: _Limit = 100
) -> Collection:
    """The report, a page of devices by name; the images are `GET /captures?request=`."""
    return collections.get(collection, offset, limit)


@post(
    "/collections/{collection:str}/cancel",
    sync_to_thread=True,
    status_code=200,
    summary="End a collection by hand",
    opt=_OPERATE,
)
def cancel_collection(collection: FromPath[str], collections: NamedDependency[Collections]) -> Collection:
    """Devices keep no more for it; what they kept still comes."""
    return collections.cancel(collection)


@get("/collection-schedules", sync_to_thread=True, summary="Collections that begin again and again")
def list_schedules(scheduled_collections: NamedDependency[ScheduledCollections]) -> list[ScheduledCollection]:
    """By name."""
    return scheduled_collections.all()


@put("/collection-schedules/{name:str}", sync_to_thread=True, summary="Collect by a schedule", opt=_OPERATE)
def apply_schedule(
    name: FromPath[str],
    data: JSONBody[CollectionSchedule],
    scheduled_collections: NamedDependency[ScheduledCollections],
) -> ScheduledCollection:
    """Makes one, or replaces the one of this name; what it has begun goes on."""
    return scheduled_collections.apply(name, data)


@delete(
    "/collection-schedules/{name:str}", sync_to_thread=True, status_code=200, summary="Forget a schedule", opt=_OPERATE
)
def remove_schedule(
    name: FromPath[str], scheduled_collections: NamedDependency[ScheduledCollections]
) -> ScheduledCollection:
    """What it has begun goes on."""
    return scheduled_collections.remove(name)


@get("/collections", sync_to_thread=True, summary="What people ask this device to capture")
def open_collections(caller: NamedDependency[str], collections: NamedDependency[Collections]) -> list[CaptureRequest]:
    """Oldest first; what is not here any more is over. `Lineside-Collecting` at `/desired` says when to ask."""
    return collections.open_for(caller)


@post("/collections/{collection:str}/kept", sync_to_thread=True, status_code=204, summary="What was kept so far")
def tell_kept(
    collection: FromPath[str],
    data: JSONBody[CaptureProgress],
    caller: NamedDependency[str],
    collections: NamedDependency[Collections],
) -> None:
    """Replaces what was said before."""
    collections.tell(caller, collection, data)


people = [
    list_collections,
    begin_collection,
    get_collection,
    cancel_collection,
    list_schedules,
    apply_schedule,
    remove_schedule,
]
devices = [open_collections, tell_kept]
