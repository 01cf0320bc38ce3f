"""Collections: people ask a group for images, devices hear their part, and a report says what came of it.

open ─┬► complete    as many came as were asked for
      ├► ended       its time is over
      └► cancelled   by hand
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from lineside.contract.collection import (
    MOST_IMAGES,
    RANDOM,
    REQUESTED,
    CaptureProgress,
    CaptureRequest,
    Collection,
    CollectionPage,
    CollectionRequest,
    CollectionState,
)
from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.server.access.caller import current
from lineside.server.captures import collections_store as store
from lineside.server.captures.collections_store import Away, CollectionDeviceRow, CollectionRow
from lineside.server.captures.spreading import Part, gone_since, shared, silent_since, spread
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.devices.membership import group_exists, group_names
from lineside.server.services import Core

_MOST_CLASSES = 100
_PATIENCE_SECONDS = 600.0  # before a silent device is waited for no longer
_MOST_GROUPS = 500  # offered by the form
_MOST_REASONS = 20
_WORDS = 200
_ENDED = {
    CollectionState.COMPLETE: "is complete",
    CollectionState.ENDED: "has ended, its time is over",
    CollectionState.CANCELLED: "was cancelled",
}


class Collections:
    """All collections; each call is a transaction of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._since = core.clock.now()

    # --- people ---------------------------------------------------------------------------------------------------

    def begin(self, request: CollectionRequest) -> Collection:
        """Ask a group for images; its devices are hinted. Raises `request.invalid`, `group.unknown`,
        `collection.no_devices`."""
        with self._core.database.write() as session:
            return self.begin_within(session, request)

    def begin_within(self, session: Session, request: CollectionRequest, schedule: str | None = None) -> Collection:
        """As `begin`, in the caller's transaction."""
        now = self._core.clock.now()
        until = self.check(session, request, now)
        id_ = f"collection-{uuid.uuid4().hex[:16]}"
        parts = spread(request.count, store.able_devices(session, request.group), id_)
        if not parts:
            raise LinesideError("collection.no_devices", group=request.group)
        row = CollectionRow(
            id=id_,
            request=msgspec.structs.replace(request, until=until),
            state=CollectionState.OPEN.value,
            until=until,
            created_at=rfc3339(now),
            by=current().name,
            schedule=schedule,
        )
        session.add(row)
        session.flush()
        session.execute(insert(CollectionDeviceRow), _parts(id_, parts))
        self._changed(session, list(parts))
        asked = f"asks {counted(len(parts), 'device')} of {request.group}"
        what = f"{asked} for {counted(request.count, 'image')} until {until}"
        self._said(session, row, "collection.begin", "collection.begun", what)
        return store.value(session, row)

    def page(self, offset: int, limit: int) -> CollectionPage:
        """Collections, newest first."""
        with self._core.database.read() as session:
            return store.page(session, offset, limit)

    def groups(self) -> list[str]:
        """Names of groups that can be asked, some hundreds at most."""
        with self._core.database.read() as session:
            return group_names(session, _MOST_GROUPS)

    def get(self, id_: str, offset: int = 0, limit: int = 100) -> Collection:
        """One collection with a page of its devices. Raises `request.not_found`."""
        with self._core.database.read() as session:
            return store.value(session, _found(session, id_), (offset, limit))

    def cancel(self, id_: str) -> Collection:
        """Devices keep no more for it; what they kept still comes. Raises `request.not_found`, `collection.over`."""
        with self._core.database.write() as session:
            row = _found(session, id_)
            if row.state != CollectionState.OPEN.value:
                raise LinesideError("collection.over", id=id_, state=row.state)
            self._end(session, row, CollectionState.CANCELLED)
            return store.value(session, row)

    # --- devices --------------------------------------------------------------------------------------------------

    def open_for(self, device: str) -> list[CaptureRequest]:
        """What a device is asked for now, oldest first; from now on it has been told."""
        now = rfc3339(self._core.clock.now())
        with self._core.database.write() as session:
            found = [
                (part, row)
                for part, row in store.open_parts(session, device, now)
                if store.takes_part(session, row, device)
            ]
            for part, _ in found:
                part.told_at = part.told_at or now
            return [_asked(part, row.request) for part, row in found if part.asked > part.uploaded]

    def tell(self, device: str, id_: str, progress: CaptureProgress) -> None:
        """What a device kept so far. Raises `request.not_found`, `request.invalid`."""
        _check_progress(progress)
        with self._core.database.write() as session:
            part = session.get(CollectionDeviceRow, (id_, device))
            if part is None:
                raise LinesideError("request.not_found", what="collection", name=id_[:80])
            part.kept, part.refused, part.why = progress.kept, progress.refused or None, progress.why

    def arrived(self, session: Session, device: str, id_: str) -> None:
        """A capture that answers a collection has come; one that nobody asked this device for counts nowhere."""
        row, part = session.get(CollectionRow, id_), session.get(CollectionDeviceRow, (id_, device))
        if row is None or part is None:
            return
        part.uploaded += 1
        session.flush()
        if row.state == CollectionState.OPEN.value and store.uploaded(session, id_) >= row.request.count:
            self._end(session, row, CollectionState.COMPLETE)

    # --- the clock ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """End what is over, and ask others for what some devices do not keep."""
        now = self._core.clock.now()
        with self._core.database.read() as session:
            over = store.over(session, rfc3339(now))
            unsettled = [row.id for row in store.opened(session) if store.unsettled(session, row, self._away(row))]
        for id_ in over:
            with self._core.database.write() as session:
                row = session.get_one(CollectionRow, id_)
                if row.state == CollectionState.OPEN.value:
                    self._end(session, row, CollectionState.ENDED)
        for id_ in unsettled:
            with self._core.database.write() as session:
                row = session.get_one(CollectionRow, id_)
                if row.state == CollectionState.OPEN.value:
                    self._settle(session, row)

    def _away(self, row: CollectionRow) -> Away:
        """Who was last heard of up to when is waited for no longer; from before this started, nobody can tell."""
        patience = timedelta(seconds=max(_PATIENCE_SECONDS, self._core.settings.silence_seconds))
        times = parse_rfc3339(row.created_at), parse_rfc3339(row.until), self._core.clock.now()
        silent, gone = (
            rfc3339(since) if since >= self._since else ""
            for since in (silent_since(*times, patience), gone_since(*times, patience))
        )
        return Away(silent, gone)

    def _settle(self, session: Session, row: CollectionRow) -> None:
        """What devices are asked for and will not keep is asked of others of the group that are there; what came beyond
        what one was asked for, because it was away meanwhile, is asked of nobody else."""
        now = self._core.clock.now()
        here = rfc3339(now - timedelta(seconds=self._core.settings.silence_seconds))
        found, spare = store.parts(session, row, self._away(row), here), store.spare(session, row, here)
        parts = {name: part for name, (_, part) in found.items()} | dict.fromkeys(spare, Part(0, 0, there=True))
        asked = shared(parts)
        for name, (one, part) in found.items():
            less = one.asked - asked.get(name, one.asked)
            if less > 0 and part.lost and not one.why:
                which = "all of its images that had not come" if part.have < one.kept else f"{less} of its images"
                one.lost = f"{store.why_lost(session, row, name)}: others were asked for {which}."
            one.asked = asked.get(name, one.asked)
        new = {name: asked[name] for name in spare if name in asked}
        if new:
            session.execute(insert(CollectionDeviceRow), _parts(row.id, new, rfc3339(now)))
        session.flush()
        self._changed(session, list(asked))

    # --- inside ---------------------------------------------------------------------------------------------------

    def check(self, session: Session, request: CollectionRequest, now: datetime) -> str:
        """When it ends, as times are kept. Raises `request.invalid`, `group.unknown`."""
        if not group_exists(session, request.group):
            raise LinesideError("group.unknown", name=request.group[:80])
        try:
            until = parse_rfc3339(request.until)
            kept = rfc3339(until) if until > now else ""
        except (ValueError, TypeError, OverflowError):
            kept = ""
        if not kept:
            raise LinesideError("request.invalid", why=f"until is {request.until[:80]!r}, and must be a time to come")
        wrong = _what_is_wrong(request)
        if wrong:
            raise LinesideError("request.invalid", why=wrong)
        return kept

    def _end(self, session: Session, row: CollectionRow, state: CollectionState) -> None:
        row.state, row.ended_at = state.value, rfc3339(self._core.clock.now())
        for name, (one, part) in store.parts(session, row, self._away(row), here="").items():
            if part.lost and part.asked > part.have and not one.why:
                one.lost = f"{store.why_lost(session, row, name)}."
        session.flush()
        self._changed(session, store.devices_of(session, row.id))
        found = store.value(session, row)
        what = (
            f"{_ENDED[state]}: {found.uploaded} of {counted(row.request.count, 'image')} came, {found.kept} were kept"
        )
        action = "collection.cancel" if state is CollectionState.CANCELLED else "collection.end"
        self._said(session, row, action, f"collection.{state.value}", what)

    def _changed(self, session: Session, devices: list[str]) -> None:
        """Devices will ask what they should capture."""
        store.bump(session, devices)
        event.listen(session, "after_commit", lambda _: self._core.hints.hint_all(devices), once=True)

    def _said(self, session: Session, row: CollectionRow, action: str, kind: str, what: str) -> None:
        message = f"The collection from {row.request.group} {what}."
        self._core.events.record(session, kind=kind, subject=row.id, message=message, actor=current().name)
        self._core.audit.record(session, action, row.id, why=what)


def _found(session: Session, id_: str) -> CollectionRow:
    row = session.get(CollectionRow, id_)
    if row is None:
        raise LinesideError("request.not_found", what="collection", name=id_[:80])
    return row


def _parts(id_: str, parts: dict[str, int], asked_at: str | None = None) -> list[dict[str, object]]:
    """Rows of the parts of devices, by how much each is asked for."""
    start = {"kept": 0, "uploaded": 0, "why": "", "asked_at": asked_at, "lost": ""}
    return [{"collection": id_, "device": device, "asked": asked, **start} for device, asked in parts.items()]


def _asked(part: CollectionDeviceRow, request: CollectionRequest) -> CaptureRequest:
    return CaptureRequest(
        id=part.collection,
        component=request.component,
        count=part.asked,
        until=request.until,
        strategy=request.strategy,
        classes=request.classes,
    )


def _what_is_wrong(request: CollectionRequest) -> str:
    if not 1 <= request.count <= MOST_IMAGES:
        return f"count is {request.count}, and must be 1 to {MOST_IMAGES}"
    if request.strategy not in (REQUESTED, RANDOM):
        return f"strategy is {request.strategy[:40]!r}, and must be {REQUESTED} or {RANDOM}"
    if request.component and not is_name(request.component):
        return f"{request.component[:80]!r} is no component name"
    if len(request.classes) > _MOST_CLASSES or any(not 0 < len(name) <= _WORDS for name in request.classes):
        return f"a collection has {_MOST_CLASSES} classes at most, of {_WORDS} characters each"
    return f"a note has {_WORDS} characters at most" if len(request.note) > _WORDS else ""


def _check_progress(progress: CaptureProgress) -> None:
    reasons = progress.refused
    fits = len(reasons) <= _MOST_REASONS and all(len(why) <= _WORDS for why in (*reasons, progress.why))
    counts = (progress.kept, *reasons.values())
    if not fits or not all(0 <= count < 1 << 31 for count in counts):
        raise LinesideError("request.invalid", why="it says more of a collection than fits")
