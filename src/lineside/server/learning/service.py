"""What can be done with loops: people apply, start and remove them; the clock, new data and programs start runs.

due (schedule, new dataset version, webhook) ─┬► waits while a run of the loop goes on, it cools down, or its budget
holds (reviews, drift, field accuracy) ───────┘  of the month is spent ──► run ──► gates ──► a person approves
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.loop import (
    Loop,
    LoopApplied,
    LoopAsked,
    LoopDocument,
    changed,
    check_loop,
    request_of,
    series_of,
)
from lineside.contract.run import Run
from lineside.contract.webhook import ID, secret_text
from lineside.server.access.caller import Caller, acting, current
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.datasets.service import DatasetsService
from lineside.server.incoming import refusal
from lineside.server.learning import store
from lineside.server.learning.schedule import check_schedule, next_after
from lineside.server.learning.signals import NoSignals, Signals
from lineside.server.learning.store import LoopMessageRow, LoopRow
from lineside.server.learning.waiting import Waiting, by_loop
from lineside.server.runs.model import blobs_of
from lineside.server.runs.service import RunsService
from lineside.server.runs.store import at_work_for
from lineside.server.secrets.keys import SecretKeys
from lineside.server.services import Core

_KEY_BYTES = 32
_MOST_WHY = 300
_BY_SCHEDULE, _BY_DATASET, _BY_MESSAGE = "its schedule {}", "the dataset version {}", "a message to its webhook"
_REMEMBER = timedelta(days=1)  # a message sent again later is refused for its time


class Loops:
    """The loops that people applied."""

    def __init__(self, core: Core, runs: RunsService, datasets: DatasetsService) -> None:
        self._core, self._runs, self._datasets = core, runs, datasets
        self._keys = SecretKeys(core.keys / "webhooks.key")
        self._nobody = secrets.token_bytes(_KEY_BYTES)
        self.signals: Signals = NoSignals()

    # --- people ---------------------------------------------------------------------------------------------------

    def apply(self, document: LoopDocument, *, new_secret: bool = False) -> LoopApplied:
        """Make a loop, or change it; what it has started goes on. The same again changes nothing.

        Raises what `check_loop` does, `loop.invalid` for its schedule, and `request.not_found` for files or a dataset
        that are not there.
        """
        check_loop(document)
        check_schedule(document.name, document.schedule)
        for digest in blobs_of(request_of(document, None)):
            if not self._core.objects.exists(digest):
                raise LinesideError("request.not_found", what="blob", name=digest)
        newest = self._newest(document)
        with self._core.database.write() as session:
            row = session.get(LoopRow, document.name)
            same = row is not None and row.document == document
            if row is None:
                row = LoopRow(name=document.name, document=document, created_at=self._now(), changed_at="", by="")
                session.add(row)
            secret = self._secret(row, document, new_secret)
            if same and secret is None:
                return LoopApplied(loop=self._value(session, row), changed=False, url=self._url(document))
            self._change(row, document, newest)
            session.flush()
            self._said(session, "loop.apply", row.name, f"the loop {row.name} was applied")
            loop = self._value(session, row)
            return LoopApplied(loop=loop, changed=True, url=self._url(document), secret=secret)

    def all(self) -> list[Loop]:
        """All of them, by name."""
        with self._core.database.read() as session:
            return [self._value(session, row) for row in store.loops(session)]

    def get(self, name: str) -> Loop:
        """One of them. Raises `request.not_found`."""
        with self._core.database.read() as session:
            return self._value(session, self._row(session, name))

    def remove(self, name: str) -> Loop:
        """It starts nothing any more; what it has started goes on. Raises `request.not_found`."""
        with self._core.database.write() as session:
            row = self._row(session, name)
            gone = self._value(session, row)
            session.delete(row)
            self._said(session, "loop.remove", name, f"the loop {name} was removed")
            return gone

    def start(self, name: str, settings: dict[str, Any], from_step: str | None) -> Run:
        """Start a run now, whatever the loop waits for: what it is due for is done by this run. Raises
        `request.not_found`, `loop.invalid`, `loop.at_work`, and what `RunsService.start` does."""
        document = changed(self.get(name).document, settings)
        check_loop(document)
        request, steps = self._runs.checked(request_of(document, document.dataset, from_step))
        with self._core.database.write() as session:
            row, busy = self._row(session, name), at_work_for(session, name)
            if busy is not None:
                raise LinesideError("loop.at_work", loop=name, run=busy)
            run = self._runs.queue(session, request, steps)
            self._began(row, run, f"by hand: {current().name}")
            return run

    # --- programs elsewhere ---------------------------------------------------------------------------------------

    def receive(self, name: str, headers: Mapping[str, str], body: bytes, source: str = "") -> LoopAsked:
        """A signed message asks for a run; the same message again (by its id) asks for nothing more.

        Raises `loop.webhook_refused`.
        """
        with self._core.database.read() as session:
            row = session.get(LoopRow, name)
        why = refusal(self._key(row), headers, body, self._core.clock.now().timestamp())
        if why is not None or row is None:
            raise LinesideError("loop.webhook_refused", why=why or "its signature is not of this message")
        caller = Caller(name=f"loop {name}", by="hook", source=source)
        with acting(caller), self._core.database.write() as session:
            row = self._row(session, name)
            if session.get(LoopMessageRow, (name, headers[ID])) is None:
                session.add(LoopMessageRow(loop=name, id=headers[ID], at=self._now()))
                row.due = _BY_MESSAGE
                session.flush()
                self._said(session, "loop.webhook", name, f"a message asks for a run of the loop {name}")
            return LoopAsked(name=name, due=row.due is not None)

    # --- the clock ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Look at every loop: note what is due, and start what may start. Safe to repeat."""
        self._forget_messages()
        for loop in self.all():
            name = loop.document.name
            self._note_due(name, loop)
            self._start_due(name)

    def _forget_messages(self) -> None:
        before = rfc3339(self._core.clock.now() - _REMEMBER)
        with self._core.database.read() as session:
            old = store.has_messages(session, before)
        if old:
            with self._core.database.write() as session:
                store.forget_messages(session, before)

    def _note_due(self, name: str, loop: Loop) -> None:
        now = self._core.clock.now()
        schedule, newest = loop.document.schedule, self._newest(loop.document)
        with self._core.database.write() as session:
            row = session.get(LoopRow, name)
            if row is None:
                return
            if schedule is not None and row.next_at is not None and parse_rfc3339(row.next_at) <= now:
                row.due, row.next_at = _BY_SCHEDULE.format(schedule), rfc3339(next_after(schedule, now))
            if loop.document.triggers.new_dataset and newest not in (None, row.seen_dataset):
                row.due, row.seen_dataset = _BY_DATASET.format(newest), newest

    def _start_due(self, name: str) -> None:
        with self._core.database.read() as session:
            row = session.get(LoopRow, name)
            if row is None or self._waiting(session, row).starts_for is None:
                return
            document = row.document
        with acting(Caller(name=by_loop(name), by="loop")):
            try:
                request, steps = self._runs.checked(request_of(document, document.dataset))
            except LinesideError as error:
                self._refused(name, error.report())
                return
            with self._core.database.write() as session:
                row = session.get(LoopRow, name)
                why = None if row is None else self._waiting(session, row).starts_for
                if row is not None and row.document == document and why is not None:
                    self._began(row, self._runs.queue(session, request, steps), why)
                    self._tell(session, "loop.start", name, f"the loop {name} began {row.run} for {why}")

    def _waiting(self, session: Session, row: LoopRow) -> Waiting:
        return Waiting.of(session, row, self.signals, self._newest(row.document), self._core.clock.now())

    def _value(self, session: Session, row: LoopRow) -> Loop:
        waiting = self._waiting(session, row)
        return row.value(waiting.due, waiting.said)

    def _refused(self, name: str, problem: ErrorReport) -> None:
        with self._core.database.write() as session:
            row = self._row(session, name)
            row.due, row.problem = None, problem
            said = f"The loop {name} could not begin a run: {problem.message}"
            self._core.events.record(session, kind="loop.refused", subject=name, message=said, error=problem)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _change(self, row: LoopRow, document: LoopDocument, newest: str | None) -> None:
        if row.document.schedule != document.schedule or row.next_at is None:
            due = next_after(document.schedule, self._core.clock.now()) if document.schedule else None
            row.next_at = None if due is None else rfc3339(due)
        if row.document.dataset != document.dataset or row.seen_dataset is None:
            row.seen_dataset = row.trained_dataset = newest  # only what comes after it starts a run
        row.document, row.changed_at, row.by, row.problem = document, self._now(), current().name, None
        if row.due is not None and not _is_wanted(row.due, document):
            row.due = None

    def _secret(self, row: LoopRow, document: LoopDocument, wanted: bool) -> str | None:
        """A new secret as people see it, where one is needed or wanted; nothing is let in without the trigger."""
        if not document.triggers.webhook:
            row.secret = None
            return None
        if row.secret is not None and not wanted:
            return None
        key = secrets.token_bytes(_KEY_BYTES)
        row.secret = self._keys.seal(_sealed(document.name), "1", key)
        return secret_text(key)

    def _key(self, row: LoopRow | None) -> bytes:
        """Nobody's where there is no loop or no webhook: strangers are not told which."""
        if row is None or row.secret is None:
            return self._nobody
        return self._keys.open(_sealed(row.name), "1", row.secret)

    def _newest(self, document: LoopDocument) -> str | None:
        name = series_of(document)
        try:
            return None if name is None else self._datasets.version(name).id
        except LinesideError:
            return None  # its first version is still to come

    def _began(self, row: LoopRow, run: Run, why: str) -> None:
        row.run, row.started_at, row.due, row.problem = run.id, self._now(), None, None
        row.started_by, row.trained_dataset = why[:_MOST_WHY], run.request.dataset

    def _url(self, document: LoopDocument) -> str | None:
        return f"{self._core.addresses.people_url}/loop-hooks/{document.name}" if document.triggers.webhook else None

    def _row(self, session: Session, name: str) -> LoopRow:
        row = session.get(LoopRow, name)
        if row is None:
            raise LinesideError("request.not_found", what="loop", name=name)
        return row

    def _said(self, session: Session, verb: str, name: str, said: str) -> None:
        self._core.audit.record(session, verb, name, why=said)
        self._tell(session, verb, name, said)

    def _tell(self, session: Session, verb: str, name: str, said: str) -> None:
        message = said[:1].upper() + said[1:] + "."
        self._core.events.record(session, kind=verb, subject=name, message=message)

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _is_wanted(due: str, document: LoopDocument) -> bool:
    """Whether what made a loop due still starts its runs."""
    triggers = document.triggers
    return (
        due == _BY_SCHEDULE.format(document.schedule)
        or (due.startswith(_BY_DATASET.format("")) and triggers.new_dataset)
        or (due == _BY_MESSAGE and triggers.webhook)
    )


def _sealed(name: str) -> str:
    return f"loop/{name}"
