"""Which versions run on how many devices over time: sampled by a loop, stored where something changed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import String, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.measure import Adoption, AdoptionPoint
from lineside.server.clock import rfc3339
from lineside.server.database import Base
from lineside.server.devices.running import versions_running
from lineside.server.services import Core
from lineside.server.telemetry import measures

KEPT_HOURS = 14 * 24
"""Hours of measures that are kept."""

KEPT_DAYS = 365
"""Days of adoption that are kept, beside the newest point of each component."""

MOST_POINTS = 2000


class AdoptionRow(Base):
    """How many devices ran a version from a moment on. All versions of a component share their moments."""

    __tablename__ = "adoption"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    at: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    devices: Mapped[int]


class AdoptionLoop:
    """Writes down what changed, and forgets what is old."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def step(self) -> None:
        """One look: a point for each component of which other versions run, or run on more or fewer devices."""
        now = self._core.clock.now()
        with self._core.database.read() as session:
            running, stored = versions_running(session), _newest(session)
        changed = {name: running.get(name, {}) for name in running.keys() | stored.keys()}
        changed = {name: versions for name, versions in changed.items() if versions != stored.get(name, {})}
        with self._core.database.write() as session:
            for name, versions in changed.items():
                _store(session, name, rfc3339(now), versions | dict.fromkeys(stored.get(name, {}).keys() - versions, 0))
            measures.drop_before(session, rfc3339(now - timedelta(hours=KEPT_HOURS)))
            _drop_before(session, rfc3339(now - timedelta(days=KEPT_DAYS)))


def adoption_of(session: Session, name: str) -> Adoption:
    """The versions of one component over time, at most the newest 2,000 points."""
    moments = select(AdoptionRow.at).where(AdoptionRow.name == name).distinct()
    newest = moments.order_by(AdoptionRow.at.desc()).limit(MOST_POINTS).scalar_subquery()
    query = select(AdoptionRow).where(AdoptionRow.name == name, AdoptionRow.at.in_(newest))
    points: dict[str, dict[str, int]] = {}
    for row in session.scalars(query.order_by(AdoptionRow.at, AdoptionRow.version)):
        points.setdefault(row.at, {})[row.version] = row.devices
    return Adoption(
        name=name,
        now=versions_running(session, name).get(name, {}),
        points=tuple(AdoptionPoint(at=at, versions=versions) for at, versions in points.items()),
    )


def adoptions(session: Session) -> list[Adoption]:
    """What runs now, by component, the most widely run first; without points."""
    running = versions_running(session)
    ordered = sorted(running.items(), key=lambda one: (-sum(one[1].values()), one[0]))
    return [Adoption(name=name, now=now) for name, now in ordered]


def _newest(session: Session) -> dict[str, dict[str, int]]:
    """The newest point of each component, without versions that nobody ran."""
    last = select(AdoptionRow.name, func.max(AdoptionRow.at).label("at")).group_by(AdoptionRow.name).subquery()
    query = select(AdoptionRow).join(last, (last.c.name == AdoptionRow.name) & (last.c.at == AdoptionRow.at))
    found: dict[str, dict[str, int]] = {}
    for row in session.scalars(query):
        found.setdefault(row.name, {})
        if row.devices:
            found[row.name][row.version] = row.devices
    return found


def _store(session: Session, name: str, at: str, versions: dict[str, int]) -> None:
    again = delete(AdoptionRow).where(AdoptionRow.name == name, AdoptionRow.at == at)  # a clock that stood still
    session.execute(again, execution_options={"synchronize_session": False})
    rows = [{"name": name, "at": at, "version": version, "devices": count} for version, count in versions.items()]
    session.execute(insert(AdoptionRow), rows)


def _drop_before(session: Session, moment: str) -> None:
    newest = select(AdoptionRow.name, func.max(AdoptionRow.at).label("at")).group_by(AdoptionRow.name).subquery()
    keep = select(newest.c.at).where(newest.c.name == AdoptionRow.name).scalar_subquery()
    old = delete(AdoptionRow).where(AdoptionRow.at < moment, AdoptionRow.at < keep)
    session.execute(old, execution_options={"synchronize_session": False})
