"""Operations of people's API about captures and collections."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.capture import Capture, CapturePage
from lineside.contract.collection import (
    Collection,
    CollectionPage,
    CollectionRequest,
    CollectionSchedule,
    ScheduledCollection,
)


class Capturing(Calls):
    """Captures, and collections of them."""

    def captures(
        self,
        *,
        device: str | None = None,
        strategy: str | None = None,
        model: str | None = None,
        request: str | None = None,
        since: str | None = None,
        until: str | None = None,
        before: str | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> CapturePage:
        """Uploaded captures, newest first; `model` is NAME:VERSION, `request` a collection, `before` the `next` of the
        page before. Times are of arrival (RFC 3339)."""
        query = {"device": device, "strategy": strategy, "model": model, "request": request, "since": since}
        query |= {"until": until, "before": before}
        return self.connection.call("GET", "/captures", CapturePage, query={**query, "offset": offset, "limit": limit})

    def export_captures(
        self,
        *,
        device: str | None = None,
        strategy: str | None = None,
        model: str | None = None,
        request: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Iterator[bytes]:
        """The records of all captures that `captures` would find, newest first, as JSON lines, in pieces."""
        query = {"device": device, "strategy": strategy, "model": model, "request": request, "since": since}
        return self.connection.stream("/captures/export", query | {"until": until})

    def capture(self, capture: str) -> Capture:
        """One capture; its image is the blob `record.digest`."""
        return self.connection.call("GET", path("captures", capture), Capture)

    def collections(self, *, offset: int = 0, limit: int = 100) -> CollectionPage:
        """Collections, newest first, with their sums."""
        return self.connection.call("GET", "/collections", CollectionPage, query={"offset": offset, "limit": limit})

    def collect(self, request: CollectionRequest) -> Collection:
        """Ask the devices of a group for images until a time."""
        return self.connection.call("POST", "/collections", Collection, body=request)

    def collection(self, collection: str, *, offset: int = 0, limit: int = 100) -> Collection:
        """The report of a collection, with a page of its devices; `captures(request=…)` are its images."""
        query = {"offset": offset, "limit": limit}
        return self.connection.call("GET", path("collections", collection), Collection, query=query)

    def cancel_collection(self, collection: str) -> Collection:
        """End a collection by hand; what devices have kept for it still comes."""
        return self.connection.call("POST", path("collections", collection, "cancel"), Collection)

    def collection_schedules(self) -> list[ScheduledCollection]:
        """Collections that begin again and again."""
        return self.connection.call("GET", "/collection-schedules", list[ScheduledCollection])

    def schedule_collection(self, document: CollectionSchedule) -> ScheduledCollection:
        """Make a schedule, or replace the one of this name."""
        where = path("collection-schedules", document.name)
        return self.connection.call("PUT", where, ScheduledCollection, body=document)

    def unschedule_collection(self, name: str) -> ScheduledCollection:
        """Forget a schedule; what it has begun goes on."""
        return self.connection.call("DELETE", path("collection-schedules", name), ScheduledCollection)
