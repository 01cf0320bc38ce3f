"""What can be done with results: take what devices publish, page through it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.measure import Adoption, Measures
from lineside.contract.result import Result, ResultPage
from lineside.contract.schema_versions import RESULTS, Schema
from lineside.server.clock import rfc3339
from lineside.server.devices.store import quarantined
from lineside.server.models.aliases import by_number
from lineside.server.services import Core
from lineside.server.telemetry import measures, model, store, sums
from lineside.server.telemetry.adoption import adoption_of, adoptions
from lineside.server.telemetry.known import KnownFiles
from lineside.server.telemetry.store import RefusedRow

Message = tuple[str, bytes]


@dataclass
class _Waiting:
    """A message on its way; `done` once its transaction ended, `failure` when it was undone."""

    device: str
    payload: bytes
    done: bool = False
    failure: Exception | None = None


class ResultsService:
    """Results. Messages that arrive while a transaction is under way share the next one."""

    def __init__(self, core: Core, schema: Schema[Result] = RESULTS) -> None:
        """`schema`: of results, in the versions that are read."""
        self._core, self._schema = core, schema
        self._writing = threading.Lock()
        self._adding = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._since_drop: Counter[str] = Counter()
        self._known = KnownFiles()

    def receive(self, device: str, payload: bytes) -> None:
        """Take one message of a device; on return it is on the disk, or counted as refused. Any thread may call."""
        mine = _Waiting(device, payload)
        with self._adding:
            self._waiting.append(mine)
        with self._writing:
            if not mine.done:
                self._take_waiting()
        if mine.failure is not None:
            raise mine.failure

    def _take_waiting(self) -> None:
        with self._adding:
            batch, self._waiting = self._waiting, []
        failure = self._took(batch)
        if len(batch) > 1 and failure is not None and not isinstance(failure, OperationalError):
            for one in batch:  # what cannot be stored must not keep the others from it; a database that is away does
                self._took([one])
        for one in batch:
            one.done = True

    def _took(self, batch: Sequence[_Waiting]) -> Exception | None:
        failure: Exception | None = None
        try:
            self.take([(one.device, one.payload) for one in batch])
        except Exception as error:  # noqa: BLE001 the thread whose message it was raises it
            failure = error
        for one in batch:
            one.failure = failure
        return failure

    def take(self, messages: Sequence[Message]) -> None:
        """Take messages in one transaction, in their order."""
        good: list[Result] = []
        bad: dict[str, list[LinesideError]] = {}
        for device, payload in messages:
            try:
                good.append(model.read(device, payload, self._schema))
            except LinesideError as error:
                bad.setdefault(device, []).append(error)
        with self._core.database.write() as session:
            if good:
                self._store(session, good)
            for device, errors in bad.items():
                self._refuse(session, device, errors)

    def page(self, after: int | None, device: str | None, limit: int) -> ResultPage:
        """Results after an id, oldest first; without one the newest `limit`."""
        with self._core.database.read() as session:
            found, total = store.results(session, after, device, limit)
        return ResultPage(results=tuple(found), total=total)

    def counts(self) -> dict[str, int]:
        """How many results are kept, by device."""
        with self._core.database.read() as session:
            return store.count_by_device(session)

    def refused(self) -> dict[str, int]:
        """How many were not taken, by device."""
        with self._core.database.read() as session:
            return store.refused_by_device(session)

    def measures(self, hours: int, model: str | None = None, device: str | None = None) -> list[Measures]:
        """What the results of so many hours come to, by model file; of one model or device when given.

        Raises `request.invalid` for a model that is neither a name, nor name:version or name@alias.
        """
        if "@" in (model or ""):
            with self._core.database.read() as session:
                model = by_number(session, model or "")
        _, colon, version = (model or "").partition(":")
        if colon and not (version.isascii() and version.isdigit() and len(version) < 10):
            raise LinesideError("request.invalid", why=f"{model!r} is neither a model's name nor name:version")
        since = rfc3339(self._core.clock.now() - timedelta(hours=hours))[: measures.HOUR]
        with self._core.database.read() as session:
            return sums.measures_of(session, since, model, device)

    def adoption(self, name: str) -> Adoption:
        """Which versions of a component run on how many devices, over time."""
        with self._core.database.read() as session:
            return adoption_of(session, name)

    def adoptions(self) -> list[Adoption]:
        """Which versions of each component run on how many devices now."""
        with self._core.database.read() as session:
            return adoptions(session)

    def _store(self, session: Session, results: Sequence[Result]) -> None:
        now, keep = self._now(), self._core.settings.results_kept
        doubtful = quarantined(session, {result.device for result in results})
        rows = [
            {
                "device": result.device,
                "sequence": result.sequence,
                "digest": content_digest(result),
                "received_at": now,
                "result": result,
                "quarantined": result.device in doubtful,
            }
            for result in results
        ]
        new = store.add_results(session, rows)
        came = {(row["device"], row["sequence"], row["digest"]): one for row, one in zip(rows, results, strict=True)}
        self._measure(session, [came[key] for key in sorted(new) if key[0] not in doubtful], now)
        self._since_drop.update(result.device for result in results)
        for device in {result.device for result in results}:
            if self._since_drop[device] > keep // 20:  # now and then: finding the oldest costs as much as 20 inserts
                store.drop_old(session, device, keep)
                self._since_drop[device] = 0

    def _measure(self, session: Session, results: Sequence[Result], now: str) -> None:
        """Count what is new. A quarantined device's results are kept, and are evidence for nothing."""
        known = self._known.labels(session, {result.digest for result in results})
        measures.add(session, measures.hours_of(results, now, known))

    def _refuse(self, session: Session, device: str, errors: Sequence[LinesideError]) -> None:
        row = store.refused(session, device)
        if row is None:
            row = RefusedRow(device=device, count=0, last_at="", why="")
            session.add(row)
            report = errors[0].report()
            self._core.events.record(
                session, kind="result.refused", subject=device, message=report.message, error=report
            )
        row.count += len(errors)
        row.last_at, row.why = self._now(), errors[-1].message

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())
