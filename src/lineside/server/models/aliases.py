"""Names that point at model versions: resolved, set and removed, each move with its history, event and audit row.

A name is only a pointer: pointing it elsewhere changes nothing about a version, nor about what devices run.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.registry import (
    CHAMPION,
    LATEST,
    NO_VERSION,
    Alias,
    AliasHistory,
    PointAlias,
    RemoveAlias,
    check_alias,
    read_reference,
)
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.models import store
from lineside.server.models.service import ModelsService
from lineside.server.models.store import AliasMoveRow, AliasRow, ModelRow
from lineside.server.services import Core


class Aliases:
    """Aliases of models."""

    def __init__(self, core: Core, models: ModelsService) -> None:
        self._core, self._models = core, models

    def find(self, reference: str) -> ModelVersion:
        """The version that `NAME:VERSION`, `NAME@ALIAS` or `NAME` means now, with its approval.

        Raises `request.invalid`, `request.not_found`.
        """
        wanted = read_reference(reference)
        with self._core.database.read() as session:
            version = wanted.version
            if version is None:
                version = pointed(session, wanted.name, wanted.alias)
        return self._models.get(wanted.name, version)

    def all(self, name: str) -> tuple[Alias, ...]:
        """Every alias of a model, `champion` and `latest` among them. Raises `request.not_found`."""
        with self._core.database.read() as session:
            if store.newest(session, name) is None:
                raise LinesideError("request.not_found", what="model", name=name)
            return self.of(session, [name])

    def of(self, session: Session, names: Sequence[str]) -> tuple[Alias, ...]:
        """Every alias of some models."""
        set_by_people = store.aliases(session, names)
        there = {(row.model, row.alias) for row in set_by_people}
        found = [self._value(session, row) for row in set_by_people]
        for name in names:
            for alias in (CHAMPION, LATEST):
                row = None if (name, alias) in there else _follows(session, name, alias)
                if row is not None:
                    found.append(Alias(model=name, alias=alias, version=row.version, state=ModelState(row.state)))
        return tuple(sorted(found, key=lambda one: (one.model, one.alias)))

    def history(self, name: str, alias: str, before: int | None = None, limit: int = 100) -> AliasHistory:
        """A page of the moves of an alias, newest first; none of one that nobody ever set."""
        with self._core.database.read() as session:
            return store.alias_history(session, name, alias, before, limit)

    def point(self, name: str, alias: str, request: PointAlias) -> Alias:
        """Point an alias at a version; pointing it where it points changes nothing.

        Raises `request.invalid`, `request.not_found`, `model.alias_moved` when it is not where it was expected,
        `model.alias_retired` for a version that was retired.
        """
        check_alias(alias)
        with self._core.database.write() as session:
            model = self._models.find(session, name, request.version)
            if model.state is ModelState.RETIRED:
                raise LinesideError("model.alias_retired", model=model.label, alias=alias)
            row = store.alias_of(session, name, alias)
            before = _expected(name, alias, row, request.expected)
            if row is not None and before == request.version:
                return self._value(session, row)
            why, at, by = request.reason.strip(), rfc3339(self._core.clock.now()), current().name
            if row is None:
                row = AliasRow(model=name, alias=alias, version=request.version, at=at, by=by, why=why)
                session.add(row)
            row.version, row.at, row.by, row.why = request.version, at, by, why
            self._record(session, row, before, request.version, digest=model.digest)
            return self._value(session, row)

    def remove(self, name: str, alias: str, request: RemoveAlias) -> Alias:
        """Take an alias away; where it was. Raises `request.not_found`, `model.alias_moved`."""
        with self._core.database.write() as session:
            row = store.alias_of(session, name, alias)
            if row is None:
                raise LinesideError("request.not_found", what="alias", name=f"{name}@{alias}")
            before = _expected(name, alias, row, request.expected)
            gone = AliasRow(
                model=name,
                alias=alias,
                version=row.version,
                at=rfc3339(self._core.clock.now()),
                by=current().name,
                why=request.reason.strip(),
            )
            session.delete(row)
            was = self._value(session, row)
            self._record(session, gone, before, None)
            return was

    def _record(
        self, session: Session, row: AliasRow, before: int | None, version: int | None, digest: str | None = None
    ) -> None:
        """The move's history, event and audit row."""
        session.add(
            AliasMoveRow(
                model=row.model, alias=row.alias, at=row.at, before=before, version=version, by=row.by, why=row.why
            )
        )
        subject, was = f"{row.model}@{row.alias}", f", before that at version {before}" if before else ""
        said = f" ({row.why.rstrip('.')})" if row.why else ""
        message = f"{subject} points at version {version}{was}{said}." if version else f"{subject} is gone{was}{said}."
        verb = "pointed" if version else "removed"
        self._core.events.record(session, kind=f"model.alias_{verb}", subject=subject, message=message)
        action = "model.alias" if version else "model.alias_remove"
        self._core.audit.record(session, action, subject, digest=digest, why=message)

    def _value(self, session: Session, row: AliasRow) -> Alias:
        state = self._models.find(session, row.model, row.version).state
        return Alias(
            model=row.model, alias=row.alias, version=row.version, state=state, at=row.at, by=row.by, why=row.why
        )


def pointed(session: Session, name: str, alias: str) -> int:
    """The version an alias points at now. Raises `request.not_found`."""
    row = store.alias_of(session, name, alias)
    if row is not None:
        return row.version
    followed = _follows(session, name, alias)
    if followed is None:
        raise LinesideError("request.not_found", what="model", name=f"{name}@{alias}")
    return followed.version


def by_number(session: Session, text: str) -> str:
    """`NAME@ALIAS` as `NAME:VERSION`; whatever else is said stays as it is. Raises `request.not_found`."""
    name, at, alias = text.partition("@")
    return f"{name}:{pointed(session, name, alias)}" if at else text


def _follows(session: Session, name: str, alias: str) -> ModelRow | None:
    """Where an alias points that nobody set."""
    if alias == LATEST:
        return store.newest(session, name)
    return store.newest(session, name, ModelState.APPROVED) if alias == CHAMPION else None


def _expected(name: str, alias: str, row: AliasRow | None, expected: int | None) -> int | None:
    """Where it points now, if that is what the caller believes. Raises `model.alias_moved`."""
    now = NO_VERSION if row is None else row.version
    if expected is not None and expected != now:
        where = f"points at version {now}" if now else "is not there"
        raise LinesideError("model.alias_moved", alias=alias, name=name, now=where, expected=expected)
    return None if row is None else row.version
