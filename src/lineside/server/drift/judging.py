"""What one more window means for its stream: how far it is from what is usual, whether that counts, and alarms.

A window that comes late (another one of its stream is newer) is remembered, and changes no alarm.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.drift import DriftWindow, Sketch
from lineside.contract.drift_alarm import DriftScope
from lineside.contract.drift_causes import causes
from lineside.contract.drift_distance import Distance, Held, Usual, distance
from lineside.contract.drift_usual import DAYS, seen, usual_of_field, usual_of_tests
from lineside.contract.ids import content_digest
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.drift import store
from lineside.server.drift.store import AlarmRow, DriftWindowRow, StreamRow
from lineside.server.models.store import by_label
from lineside.server.services import Core

BY_ITSELF = "the first week, without what drifted"
_ANOTHER_DAY = timedelta(days=1)


class Judging:
    """Judges windows in the caller's transaction."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tests: dict[tuple[str, int, str], Usual] = {}  # by version and file; neither ever changes

    def judge(self, session: Session, row: StreamRow, window: DriftWindow, key: str) -> bool:
        """Take one window into its stream; its `began_at` is our moment. False when it is there already."""
        if session.get(DriftWindowRow, (row.id, key)) is not None:
            return False
        late = row.windows > 0 and window.began_at <= row.last_at
        if (row.version, row.digest) != (window.version, window.digest):
            if late:
                return False  # of the model before: what came after it has been judged
            self._change_model(session, row, window)
        usual = row.usual or self._of_tests(session, window)
        row.baseline = "" if usual is None else ("field" if usual.field else "tests")
        told = {} if usual is None else distance(window, usual)
        before = row.held.sides
        if not late:
            row.held, row.told, row.last_at = _held(row, window).after(told), told, window.began_at
            row.windows += 1
        self._remember(session, row, window, key, told)
        if not late:
            self._alarm(session, row, told, before)
        return True

    def settle(self, session: Session, row: StreamRow) -> None:
        """Make the first week what is usual, once it is over: the windows in which no drift was held, as devices do,
        and not while an alarm is raised."""
        since = parse_rfc3339(row.first_at)
        if row.usual is not None or parse_rfc3339(row.last_at) - since < timedelta(days=DAYS):
            return
        if row.alarm is None and self.accept(session, row, row.first_at, BY_ITSELF, held=False):
            return
        row.first_at = rfc3339(since + _ANOTHER_DAY)

    def accept(self, session: Session, row: StreamRow, since: str, by: str, *, held: bool) -> bool:
        """Make the windows since a moment what is usual; False when they are too few for that. With `held` those, too,
        in which drift was held: it is no drift any more."""
        week = store.seen_since(session, row.id, row.digest, since, held=held)
        usual = usual_of_field(row.digest, week, self._sketches(session, row, since))
        if usual is None:
            return False
        row.usual, row.accepted_by, row.baseline = usual, by, "field"
        row.held, row.told = _nothing(row), {}
        self.clear(session, row, "what it shows was made what is usual")
        return True

    def clear(self, session: Session, row: StreamRow, why: str) -> None:
        """End the alarm of a stream, if it has one."""
        alarm = None if row.alarm is None else session.get(AlarmRow, row.alarm)
        row.alarm = None
        if alarm is None:
            return
        alarm.cleared_at, alarm.cleared_why = self._now(), why
        if alarm.told:
            said = f"Drift on {where(row)} is over: {why}."
            self._core.events.record(session, kind="drift.clear", subject=row.name, message=said)

    def tell(self, session: Session, alarm: AlarmRow) -> None:
        """Let people, and webhooks, hear of an alarm."""
        alarm.told = True
        hints = " ".join(cause.sentence for cause in alarm.causes)
        said = f"Drift on {where(alarm)}: {words(alarm.quantities)}. {hints}".strip()
        self._core.events.record(session, kind="drift.raise", subject=alarm.name, message=said)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _change_model(self, session: Session, row: StreamRow, window: DriftWindow) -> None:
        if row.digest:
            self.clear(session, row, f"another model runs, {window.model}:{window.version}")
        row.model, row.version, row.digest = window.model, window.version, window.digest
        row.usual, row.accepted_by, row.held, row.told = None, "", _nothing(row), {}
        row.first_at, row.windows = window.began_at, 0

    def _of_tests(self, session: Session, window: DriftWindow) -> Usual | None:
        decided = (window.model, window.version, window.digest)
        known = self._tests.get(decided)
        if known is None:
            found = by_label(session, window.model, window.version)
            files = {variant.digest for variant in found.registered.variants} if found else set()
            if found is None or found.registered.baseline is None or window.digest not in files:
                return None
            known = self._tests[decided] = usual_of_tests(found.registered.baseline, window.digest)
        return known

    def _remember(
        self, session: Session, row: StreamRow, window: DriftWindow, key: str, told: dict[str, Distance]
    ) -> None:
        short = {name: (one.shift, one.limit) for name, one in told.items()}
        session.add(
            DriftWindowRow(
                stream=row.id,
                key=key,
                at=window.began_at,
                digest=window.digest,
                held=bool(row.held.sides),
                seen=seen(window),
                told=short,
            )
        )
        session.flush()
        before = parse_rfc3339(max(row.last_at, window.began_at)) - store.KEPT_WINDOWS
        store.drop_windows(session, row.id, rfc3339(before))

    def _alarm(self, session: Session, row: StreamRow, told: dict[str, Distance], before: dict[str, int]) -> None:
        """Raise, change or clear the alarm of a stream; `before`: what was held before this window."""
        sides = row.held.sides
        alarm = None if row.alarm is None else session.get(AlarmRow, row.alarm)
        if alarm is None and sides and self._wanted(session, row):
            self._raise(session, row, sides)
        elif alarm is not None and sides:
            alarm.quantities = {**alarm.quantities, **{name: told[name] for name in sides if name in told}}
            if sides != before:
                alarm.causes = causes(alarm.quantities, sides)
        elif alarm is not None and self._near(row.held, alarm):
            self.clear(session, row, "its windows are near again")

    def _raise(self, session: Session, row: StreamRow, sides: dict[str, int]) -> None:
        held = {name: row.told[name] for name in sides if name in row.told}
        muted = row.muted_until is not None and row.muted_until > self._now()
        alarm = AlarmRow(
            stream=row.id, scope=row.scope, name=row.name, component=row.component, source=row.source,
            model=row.model, version=row.version, digest=row.digest, quantities=held, causes=causes(row.told, sides),
            shown_since=self._shown_since(session, row), raised_at=self._now(), told=False,
            muted_until=row.muted_until if muted else None,
        )  # fmt: skip
        session.add(alarm)
        session.flush()
        row.alarm = alarm.number
        if not muted:
            self.tell(session, alarm)

    def _wanted(self, session: Session, row: StreamRow) -> bool:
        """Of a group and the fleet only what the alarms of single devices do not say already."""
        if row.scope == DriftScope.DEVICE.value:
            return True
        return not store.devices_with_alarm(session, row)

    def _shown_since(self, session: Session, row: StreamRow) -> str:
        return store.nth_newest(session, row.id, row.held.n) or row.last_at

    @staticmethod
    def _near(held: Held, alarm: AlarmRow) -> bool:
        """Whether none of the last n windows was far in what it was raised for."""
        return not any(any(held.recent.get(name, ())) for name in alarm.quantities)

    @staticmethod
    def _sketches(session: Session, row: StreamRow, since: str) -> dict[str, Sketch]:
        total: dict[str, Sketch] = {}
        for window in store.hours_since(session, row.id, row.digest, since):
            for name, sketch in window.sketches.items():
                total[name] = total[name].merged(sketch) if name in total else sketch
        return total

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _held(row: StreamRow, window: DriftWindow) -> Held:
    """What is held, by the rule of the device's own configuration; hours of many devices have the usual one."""
    if row.scope != DriftScope.DEVICE.value:
        return row.held
    return msgspec.structs.replace(row.held, k=window.k, n=window.n)


def _nothing(row: StreamRow) -> Held:
    return Held(k=row.held.k, n=row.held.n)


def where(row: StreamRow | AlarmRow) -> str:
    """What a stream or an alarm is about, in words."""
    if row.scope == DriftScope.FLEET.value:
        return f"the fleet by {row.model}:{row.version}"
    if row.scope == DriftScope.GROUP.value:
        return f"the group {row.name} by {row.model}:{row.version}"
    return row.name + (f", {row.source}" if row.source else "")


def words(quantities: dict[str, Distance]) -> str:
    """Held quantities, the farthest first."""
    ordered = sorted(quantities.items(), key=lambda one: -abs(one[1].shift))
    return ", ".join(f"{name.replace('_', ' ')} {one.shift:+.1f} spreads" for name, one in ordered)


def stream_id(scope: DriftScope, name: str, *more: str) -> str:
    """The id of what is watched."""
    return content_digest([scope.value, name, *more])[len("sha256:") :][:24]


def with_moment(window: DriftWindow, at: str) -> DriftWindow:
    """A window as of our moment."""
    return msgspec.structs.replace(window, began_at=at)
