"""What the agent knows across power cuts. Each move from one state to the next is one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from lineside.agent.database import Damaged, Database
from lineside.agent.updating.installed import EMPTY, Attempt, Component, ComponentSet, Outcome, Package
from lineside.contract.configuration import merged_at
from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reading import UNREADABLE

T = TypeVar("T")

_log = logging.getLogger(__name__)


CARRIED = "bundle"
"""The ETag of a document that came in an offline bundle."""


class SavedDesired(msgspec.Struct, frozen=True):
    """The newest desired document that was seen, with its ETag."""

    document: Desired
    etag: str


class State:
    """Named values and rows over the agent's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> None:
        """Read everything once. Raises `Damaged` when a value is not what it should be."""
        try:
            self.desired(), self.good(), self.previous(), self.attempt(), self.outcome(), self.packages()
        except UNREADABLE as error:
            raise Damaged(str(error)) from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # a table is not there
                raise Damaged(str(error)) from error
            raise

    # --- the desired document -------------------------------------------------------------------------------------

    def desired(self) -> SavedDesired | None:
        """The newest document that was seen."""
        return self._read("desired", SavedDesired)

    def save_desired(self, document: Desired, etag: str) -> bool:
        """Remember a document, so that a reboot without network goes on with it; whether it was.

        The revision that a bundle brought stands when the control plane knows only an earlier one (a restored backup).
        """
        with self._database.transaction() as rows:
            saved = _get(rows, "desired", SavedDesired)
            if saved is not None and saved.etag == CARRIED and document.revision < saved.document.revision:
                return False
            _put(rows, "desired", SavedDesired(document, etag))
        return True

    # --- sets of components ---------------------------------------------------------------------------------------

    def good(self) -> ComponentSet:
        """The set that was last healthy; empty at first."""
        return self._read("good", ComponentSet) or EMPTY

    def previous(self) -> ComponentSet:
        """The good set before the good set: kept on disk, so that going back transfers nothing."""
        return self._read("previous", ComponentSet) or EMPTY

    def attempt(self) -> Attempt | None:
        """The set under trial."""
        return self._read("attempt", Attempt)

    def outcome(self) -> Outcome | None:
        """How the last trial failed, if it did."""
        return self._read("outcome", Outcome)

    def begin(self, wanted: ComponentSet) -> Attempt:
        """Start a trial, or count one more try of the trial that a crash broke off."""
        with self._database.transaction() as rows:
            before = _get(rows, "attempt", Attempt)
            tries = before.tries + 1 if before and before.wanted.document == wanted.document else 1
            done = before.bootstrapped if before and before.wanted.document == wanted.document else ()
            attempt = Attempt(wanted=wanted, tries=tries, bootstrapped=done)
            _put(rows, "attempt", attempt)
            _drop(rows, "outcome")
        return attempt

    def add_bootstrapped(self, name: str) -> None:
        """A Bootstrap step was seen through; a restart that it asked for is no failed try."""
        with self._database.transaction() as rows:
            attempt = _get(rows, "attempt", Attempt)
            if attempt is not None:
                _put(rows, "attempt", structs.replace(attempt, tries=0, bootstrapped=(*attempt.bootstrapped, name)))

    def commit(self) -> None:
        """The set under trial is the good set now."""
        with self._database.transaction() as rows:
            attempt, good = _get(rows, "attempt", Attempt), _get(rows, "good", ComponentSet)
            if attempt is None:
                return
            if good is not None and good.components != attempt.wanted.components:
                _put(rows, "previous", good)
            _put(rows, "good", _raw(rows, "attempt", _RawAttempt).wanted)  # with what only a newer agent understands
            _drop(rows, "attempt")
            _drop(rows, "outcome")

    def fail(self, error: ErrorReport, *, held: bool) -> None:
        """The trial failed: remember the document as bad. Unless it is `held`, the good set is wanted again."""
        with self._database.transaction() as rows:
            attempt = _get(rows, "attempt", Attempt)
            if attempt is None:
                return
            wanted = attempt.wanted
            _put(rows, "outcome", Outcome(document=wanted.document, revision=wanted.revision, error=error, held=held))
            if not held:
                _drop(rows, "attempt")

    def refuse(self, wanted: ComponentSet, error: ErrorReport) -> None:
        """A component objected to a document before anything was touched: remember it as bad."""
        with self._database.transaction() as rows:
            outcome = Outcome(document=wanted.document, revision=wanted.revision, error=error, refused=True)
            _put(rows, "outcome", outcome)
            _drop(rows, "attempt")

    def forget_failure(self, document: str) -> None:
        """Somebody on the device wants a document tried again that has failed; one that is held is left as it is."""
        with self._database.transaction() as rows:
            outcome = _get(rows, "outcome", Outcome)
            if outcome is not None and outcome.document == document and not outcome.held:
                _drop(rows, "outcome")

    def update_configuration(self, own: Component, path: Sequence[str], value: Any, at: float) -> Component:
        """A component changes its own configuration (UpdateConfiguration); what it is now.

        The change goes into every remembered set in which the component is the same version that runs, so that it is
        there after a restart and after a commit; a roll-back from another version returns to what that one had.
        Raises `bus.condition_failed` when something there was written with a later time than `at`.
        """
        with self._database.transaction() as rows:
            stamps = _get(rows, "stamps", dict[str, dict[str, float]]) or {}
            pointer = "".join(f"/{_escaped(key.lower())}" for key in path)
            mine = stamps.setdefault(own.name, {})
            if any(before > at and _overlap(pointer, other) for other, before in mine.items()):
                raise LinesideError("bus.condition_failed", name=own.name)
            mine[pointer] = at
            new = structs.replace(own, configuration=merged_at(own.configuration, path, value))
            _put(rows, "stamps", stamps)
            good, attempt = _get(rows, "good", ComponentSet), _get(rows, "attempt", Attempt)
            if good is not None:
                _put(rows, "good", _with(good, own, path, value))
            if attempt is not None:
                _put(rows, "attempt", structs.replace(attempt, wanted=_with(attempt.wanted, own, path, value)))
        return new

    # --- what was verified and staged -----------------------------------------------------------------------------

    def verified(self, document: str) -> frozenset[str]:
        """Targets whose signatures were checked for this document."""
        with self._database.reading() as rows:
            found = rows.execute("SELECT target FROM verified WHERE document = ?", (document,)).fetchall()
        return frozenset(target for (target,) in found)

    def add_verified(self, document: str, target: str) -> None:
        """Remember a checked target; those of other documents are forgotten."""
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM verified WHERE document <> ?", (document,))
            rows.execute("INSERT OR IGNORE INTO verified VALUES (?, ?)", (document, target))

    def packages(self) -> dict[tuple[str, str], Package]:
        """Staged packages by name and version."""
        with self._database.reading() as rows:
            found = rows.execute("SELECT name, version, package FROM packages").fetchall()
        return {(name, version): msgspec.json.decode(package, type=Package) for name, version, package in found}

    def add_package(self, name: str, version: str, package: Package) -> None:
        """A package is complete on disk."""
        with self._database.transaction() as rows:
            values = (name, version, msgspec.json.encode(package))
            rows.execute("INSERT OR REPLACE INTO packages VALUES (?, ?, ?)", values)

    def drop_package(self, name: str, version: str) -> None:
        """A package is about to be replaced or removed."""
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM packages WHERE name = ? AND version = ?", (name, version))

    # --- processes and counters -----------------------------------------------------------------------------------

    def processes(self) -> list[tuple[int, int, str]]:
        """Child processes by pid, start time (clock ticks since boot) and name; some may be long gone."""
        with self._database.reading() as rows:
            return list(rows.execute("SELECT pid, started, name FROM processes").fetchall())

    def add_process(self, pid: int, started: int, name: str) -> None:
        """A child process lives. It is found by its environment too: a disk that takes nothing stops no component."""
        self._note("INSERT OR REPLACE INTO processes VALUES (?, ?, ?)", (pid, started, name))

    def drop_process(self, pid: int) -> None:
        """A child process is gone."""
        self._note("DELETE FROM processes WHERE pid = ?", (pid,))

    def _note(self, query: str, values: tuple[object, ...]) -> None:
        try:
            with self._database.transaction() as rows:
                rows.execute(query, values)
        except sqlite3.Error as error:
            _log.warning("not written down: %s", error)

    def transferred(self) -> int:
        """Bytes of artifacts and recipes received since joining."""
        return self._read("transferred", int) or 0

    def add_transferred(self, count: int) -> None:
        """Count received bytes."""
        with self._database.transaction() as rows:
            _put(rows, "transferred", (_get(rows, "transferred", int) or 0) + count)

    def _read(self, key: str, kind: type[T]) -> T | None:
        with self._database.reading() as rows:
            return _get(rows, key, kind)


class _RawAttempt(msgspec.Struct):
    wanted: msgspec.Raw


def _raw(rows: sqlite3.Connection, key: str, kind: type[T]) -> T:
    found = _get(rows, key, kind)
    assert found is not None
    return found


def _with(within: ComponentSet, own: Component, path: Sequence[str], value: Any) -> ComponentSet:
    """A set in which a component has merged a value, if it is there in the same version."""
    items = tuple(
        structs.replace(item, configuration=merged_at(item.configuration, path, value))
        if (item.name, item.recipe_digest) == (own.name, own.recipe_digest)
        else item
        for item in within.components
    )
    return structs.replace(within, components=items)


def _overlap(one: str, other: str) -> bool:
    """Whether one JSON pointer leads to the other's place, or above or below it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _get(rows: sqlite3.Connection, key: str, kind: type[T]) -> T | None:
    found = rows.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
    return None if found is None else msgspec.json.decode(found[0], type=kind)


def _put(rows: sqlite3.Connection, key: str, value: object) -> None:
    rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, msgspec.json.encode(value)))


def _drop(rows: sqlite3.Connection, key: str) -> None:
    rows.execute("DELETE FROM facts WHERE key = ?", (key,))
