"""Collections that begin again and again, by cron's five fields in UTC."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.collection import CollectionRequest, CollectionSchedule, ScheduledCollection
from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.server.access.caller import Caller, acting, current
from lineside.server.captures.collections import Collections
from lineside.server.captures.collections_store import CollectionScheduleRow
from lineside.server.clock import rfc3339
from lineside.server.learning.schedule import check_schedule, next_after
from lineside.server.services import Core

_MOST_HOURS = 24 * 366


class ScheduledCollections:
    """All schedules; each call is a transaction of its own."""

    def __init__(self, core: Core, collections: Collections) -> None:
        self._core, self._collections = core, collections

    def all(self) -> list[ScheduledCollection]:
        """Every schedule, by name."""
        with self._core.database.read() as session:
            rows = session.scalars(select(CollectionScheduleRow).order_by(CollectionScheduleRow.name))
            return [row.value() for row in rows]

    def apply(self, name: str, document: CollectionSchedule) -> ScheduledCollection:
        """Make a schedule, or replace it. Raises `request.invalid`, `group.unknown`, `loop.invalid` for its cron."""
        if not is_name(name) or len(name) > 64 or name != document.name:
            raise LinesideError("request.invalid", why=f"{name[:80]!r} is not the name of this schedule")
        if not 0 < document.hours <= _MOST_HOURS:
            raise LinesideError("request.invalid", why=f"hours is {document.hours}, and must be up to {_MOST_HOURS}")
        check_schedule(name, document.schedule)
        now = self._core.clock.now()
        with self._core.database.write() as session:
            self._collections.check(session, self._request(document), now)
            row = session.get(CollectionScheduleRow, name)
            if row is None:
                row = CollectionScheduleRow(name=name, created_at=rfc3339(now))
                session.add(row)
            row.document, row.by, row.problem = document, current().name, ""
            row.next_at = rfc3339(next_after(document.schedule, now))
            session.flush()
            what = f"collects {counted(document.count, 'image')} by {document.schedule}"
            self._said(session, "collection.schedule", name, what)
            return row.value()

    def remove(self, name: str) -> ScheduledCollection:
        """Forget a schedule. Raises `request.not_found`."""
        with self._core.database.write() as session:
            row = session.get(CollectionScheduleRow, name)
            if row is None:
                raise LinesideError("request.not_found", what="schedule", name=name[:80])
            gone = row.value()
            session.delete(row)
            self._said(session, "collection.unschedule", name, "was removed")
            return gone

    def step(self) -> None:
        """Begin what is due; what was missed while nobody looked begins once."""
        now = self._core.clock.now()
        due = CollectionScheduleRow.next_at <= rfc3339(now)
        with self._core.database.read() as session:
            names = list(session.scalars(select(CollectionScheduleRow.name).where(due)))
        for name in names:
            with acting(Caller(name=f"schedule {name}", by="loop")), self._core.database.write() as session:
                row = session.get(CollectionScheduleRow, name)
                if row is None or row.next_at > rfc3339(now):
                    continue
                row.next_at = rfc3339(next_after(row.document.schedule, now))
                try:
                    row.last = self._collections.begin_within(session, self._request(row.document), name).id
                    row.problem = ""
                except LinesideError as error:
                    row.problem = error.message

    def _request(self, document: CollectionSchedule) -> CollectionRequest:
        until = self._core.clock.now() + timedelta(hours=document.hours)
        return CollectionRequest(
            group=document.group,
            count=document.count,
            until=rfc3339(until),
            component=document.component,
            classes=document.classes,
            strategy=document.strategy,
        )

    def _said(self, session: Session, action: str, name: str, what: str) -> None:
        message = f"The collections' schedule {name} {what}."
        self._core.events.record(
            session, kind="collection.schedule", subject=name, message=message, actor=current().name
        )
        self._core.audit.record(session, action, name, why=what)
