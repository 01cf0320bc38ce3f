"""Tables and queries of the rollouts room."""

from __future__ import annotations

import enum

from sqlalchemy import (
    ColumnElement,
    Enum,
    ForeignKey,
    Index,
    String,
    and_,
    false,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.moves import Moved
from lineside.contract.rollout import (
    OPEN,
    DeviceProgress,
    GateCheck,
    Rollout,
    RolloutDevice,
    RolloutDevicePage,
    RolloutFailure,
    RolloutPlan,
    RolloutState,
    WaveCounts,
)
from lineside.contract.twin import TWINS
from lineside.server.database import Base, Json
from lineside.server.deployments.store import number_of

_READ = 10_000  # failed devices whose errors are put together


def _by_value(kind: type[enum.Enum]) -> Enum:
    return Enum(kind, native_enum=False, length=16, values_callable=lambda kind: [one.value for one in kind])


class RolloutRow(Base):
    """Where a rollout stands. `number` is its deployment's; every change compares and sets `revision`."""

    __tablename__ = "rollouts"

    number: Mapped[int] = mapped_column(ForeignKey("deployments.number"), primary_key=True, autoincrement=False)
    group: Mapped[str] = mapped_column(String(63), index=True)
    state: Mapped[RolloutState] = mapped_column(_by_value(RolloutState), index=True)
    wave: Mapped[int] = mapped_column(default=0)
    waves: Mapped[int] = mapped_column(default=1)
    gates: Mapped[tuple[GateCheck, ...]] = mapped_column(Json(tuple[GateCheck, ...]), default=())
    plan: Mapped[RolloutPlan] = mapped_column(Json(RolloutPlan), default=RolloutPlan(), server_default="{}")
    counts: Mapped[tuple[WaveCounts, ...]] = mapped_column(
        Json(tuple[WaveCounts, ...]), default=(), server_default="[]"
    )
    note: Mapped[str] = mapped_column(default="", server_default="")  # what it waits for, or why it ended badly
    # a person rolls everything back, or stopped it
    by_hand: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[str] = mapped_column(String(32))
    finished_at: Mapped[str | None] = mapped_column(String(32), default=None)
    revision: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": revision}

    @property
    def id(self) -> str:
        return f"rollout-{self.number}"


class RolloutDeviceRow(Base):
    """A device in a rollout, as the last step saw it. `back` is None until it is sent back, then whether it has settled
    there. `restarts` is the lowest count that was seen since it was told: what is above it are crashes."""

    __tablename__ = "rollout_devices"
    __table_args__ = (Index("ix_rollout_devices_told", "rollout", "told_at"),)

    rollout: Mapped[int] = mapped_column(ForeignKey("rollouts.number"), primary_key=True)
    device: Mapped[str] = mapped_column(String(63), primary_key=True)
    wave: Mapped[int]
    progress: Mapped[DeviceProgress] = mapped_column(_by_value(DeviceProgress), default=DeviceProgress.WAITING)
    error: Mapped[ErrorReport | None] = mapped_column(Json(ErrorReport), default=None)
    back: Mapped[bool | None] = mapped_column(default=None)
    told_at: Mapped[str | None] = mapped_column(String(32), default=None)
    place: Mapped[int] = mapped_column(default=0, server_default="0")  # order of telling: `waves.place_of`
    again: Mapped[bool] = mapped_column(default=False, server_default=false())  # waits to be tried once more
    restarts: Mapped[int] = mapped_column(default=0, server_default="0")


class RolloutMoveRow(Base):
    """A move of a rollout, written in the transaction that made it."""

    __tablename__ = "rollout_moves"
    __table_args__ = (Index("ix_rollout_moves_rollout", "rollout", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout: Mapped[int] = mapped_column(ForeignKey("rollouts.number"))
    at: Mapped[str] = mapped_column(String(32))
    current: Mapped[str] = mapped_column(String(16))
    wanted: Mapped[str] = mapped_column(String(16))
    why: Mapped[str]


class AssignmentRow(Base):
    """The deployment a device follows as a member of a group."""

    __tablename__ = "assignments"

    device: Mapped[str] = mapped_column(ForeignKey("devices.name"), primary_key=True)
    group: Mapped[str] = mapped_column(String(63), primary_key=True)
    deployment: Mapped[int | None] = mapped_column(ForeignKey("deployments.number"))


def rollout(session: Session, id_: str) -> RolloutRow | None:
    """The rollout with this id."""
    row = session.get(RolloutRow, number_of(id_))
    return row if row is not None and row.id == id_ else None


def newest_first(
    session: Session, *, before: int | None = None, group: str | None = None, limit: int | None = None
) -> list[RolloutRow]:
    """Rollouts older than the number `before`; of one group when given."""
    query = select(RolloutRow).order_by(RolloutRow.number.desc()).limit(limit)
    query = query if before is None else query.where(RolloutRow.number < before)
    return list(session.scalars(query if group is None else query.where(RolloutRow.group == group)))


def count(session: Session, group: str | None = None) -> int:
    """How many rollouts there are; to one group when given."""
    query = select(func.count()).select_from(RolloutRow)
    return session.scalar(query if group is None else query.where(RolloutRow.group == group)) or 0


def states(session: Session) -> dict[RolloutState, int]:
    """How many rollouts are in each state, those to twins left out."""
    query = select(RolloutRow.state, func.count()).where(RolloutRow.group != TWINS).group_by(RolloutRow.state)
    return dict(session.execute(query).all())


def open_rollouts(session: Session, group: str | None = None) -> list[RolloutRow]:
    """Rollouts with something left to do, oldest first; of one group when given."""
    query = select(RolloutRow).where(RolloutRow.state.in_(OPEN)).order_by(RolloutRow.number)
    return list(session.scalars(query if group is None else query.where(RolloutRow.group == group)))


def last_good(session: Session, group: str, before: int | None = None) -> int | None:
    """The number of a group's newest succeeded deployment, older than `before` when given."""
    query = select(RolloutRow.number).where(RolloutRow.group == group, RolloutRow.state == RolloutState.SUCCEEDED)
    if before is not None:
        query = query.where(RolloutRow.number < before)
    return session.scalars(query.order_by(RolloutRow.number.desc()).limit(1)).first()


def devices_of(session: Session, number: int) -> list[RolloutDeviceRow]:
    """The devices of a small rollout, by wave and name: of twins."""
    query = select(RolloutDeviceRow).where(RolloutDeviceRow.rollout == number)
    return list(session.scalars(query.order_by(RolloutDeviceRow.wave, RolloutDeviceRow.device)))


def count_progress(session: Session, number: int, progress: DeviceProgress) -> int:
    """How many devices of a rollout stand at `progress`."""
    query = select(func.count()).where(RolloutDeviceRow.rollout == number, RolloutDeviceRow.progress == progress)
    return session.scalar(query) or 0


def forget_sent_back(session: Session, number: int) -> None:
    """Nobody was sent back: before a rollout goes back once more."""
    change = update(RolloutDeviceRow).where(RolloutDeviceRow.rollout == number).values(back=None)
    session.execute(change, execution_options={"synchronize_session": False})


def has_it() -> ColumnElement[bool]:
    """Whether a device of a rollout was told and not sent back since."""
    told = or_(RolloutDeviceRow.progress != DeviceProgress.WAITING, RolloutDeviceRow.again.is_(True))
    return and_(RolloutDeviceRow.back.is_(None), told)


def anybody_has_it(session: Session, number: int) -> bool:
    """Whether somebody is left whom a rollout could send back."""
    query = select(RolloutDeviceRow.device).where(RolloutDeviceRow.rollout == number, has_it())
    return session.scalars(query.limit(1)).first() is not None


def standing(session: Session, number: int) -> dict[int, list[str]]:
    """The progress of every device of a rollout, by wave and in the order of names. Only two columns are read."""
    word = type_coerce(RolloutDeviceRow.progress, String)
    query = select(RolloutDeviceRow.wave, word).where(RolloutDeviceRow.rollout == number)
    waves: dict[int, list[str]] = {}
    for wave, progress in session.execute(query.order_by(RolloutDeviceRow.wave, RolloutDeviceRow.device)):
        waves.setdefault(wave, []).append(progress)
    return waves


def device_page(
    session: Session,
    number: int,
    *,
    progress: DeviceProgress | None,
    wave: int | None,
    after: str | None,
    limit: int,
) -> RolloutDevicePage:
    """Devices of a rollout by wave and name, after the page's mark `after`. Raises `request.invalid`."""
    query = select(RolloutDeviceRow).where(RolloutDeviceRow.rollout == number)
    if progress is not None:
        query = query.where(RolloutDeviceRow.progress == progress)
    if wave is not None:
        query = query.where(RolloutDeviceRow.wave == wave - 1)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if after is not None:
        last, device = _mark(after)
        later = and_(RolloutDeviceRow.wave == last, RolloutDeviceRow.device > device)
        query = query.where(or_(RolloutDeviceRow.wave > last, later))
    rows = session.scalars(query.order_by(RolloutDeviceRow.wave, RolloutDeviceRow.device).limit(limit + 1)).all()
    shown = rows[:limit]
    return RolloutDevicePage(
        devices=tuple(
            RolloutDevice(
                device=one.device,
                wave=one.wave,
                progress=one.progress,
                told_at=one.told_at,
                error=one.error,
                back=one.back,
            )
            for one in shown
        ),
        total=total,
        next=f"{shown[-1].wave + 1}:{shown[-1].device}" if len(rows) > limit else None,
    )


def failures(session: Session, number: int, limit: int = _READ) -> tuple[RolloutFailure, ...]:
    """What went wrong on a rollout's failed devices, alike ones together, the most frequent first; read from the first
    `limit` of them by name."""
    query = select(RolloutDeviceRow.device, RolloutDeviceRow.error).where(
        RolloutDeviceRow.rollout == number, RolloutDeviceRow.progress == DeviceProgress.FAILED
    )
    alike: dict[tuple[str, str] | None, list[tuple[str, ErrorReport | None]]] = {}
    for device, error in session.execute(query.order_by(RolloutDeviceRow.device).limit(limit)):
        alike.setdefault((error.code, error.message) if error else None, []).append((device, error))
    found = (
        RolloutFailure(devices=len(those), device=those[0][0], error=those[0][1] and those[0][1].on(those[0][0]))
        for those in alike.values()
    )
    return tuple(sorted(found, key=lambda one: -one.devices))


def why_back(session: Session, number: int) -> str:
    """Why a rollout sent its devices back the last time; empty where it did not."""
    query = select(RolloutMoveRow.why).where(
        RolloutMoveRow.rollout == number, RolloutMoveRow.wanted == RolloutState.ROLLING_BACK.value
    )
    return session.scalars(query.order_by(RolloutMoveRow.id.desc()).limit(1)).first() or ""


def newest_failed(session: Session, limit: int) -> list[RolloutRow]:
    """Rollouts that failed, or that a deadline stopped, and are their group's newest, newest first; those to twins left
    out."""
    newest = select(func.max(RolloutRow.number)).where(RolloutRow.group != TWINS).group_by(RolloutRow.group)
    query = select(RolloutRow).where(RolloutRow.number.in_(newest), _ended_badly())
    return list(session.scalars(query.order_by(RolloutRow.number.desc()).limit(limit)))


def _ended_badly() -> ColumnElement[bool]:
    stopped = and_(RolloutRow.state == RolloutState.ABORTED, RolloutRow.by_hand.is_(False))
    return or_(RolloutRow.state == RolloutState.FAILED, stopped)


def _mark(text: str) -> tuple[int, str]:
    wave, found, device = text.partition(":")
    if not found or not wave.isascii() or not wave.isdigit() or len(wave) > 3:
        raise LinesideError("request.invalid", why="after is no mark of a page")
    return int(wave) - 1, device


def value_of(session: Session, row: RolloutRow, *, history: bool = True) -> Rollout:
    """A rollout as it travels; its devices are counted. A list of them goes without `history` and failures."""
    moves = select(RolloutMoveRow).where(RolloutMoveRow.rollout == row.number).order_by(RolloutMoveRow.id)
    return Rollout(
        id=row.id,
        deployment=f"deployment-{row.number}",
        group=row.group,
        state=row.state,
        wave=row.wave,
        waves=row.waves,
        counts=row.counts,
        gates=row.gates,
        history=tuple(
            Moved(at=one.at, current=one.current, wanted=one.wanted, why=one.why)
            for one in (session.scalars(moves) if history else ())
        ),
        created_at=row.created_at,
        finished_at=row.finished_at,
        plan=row.plan,
        note=row.note,
        failures=failures(session, row.number) if history else (),
    )
