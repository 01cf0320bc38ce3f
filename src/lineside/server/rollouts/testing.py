"""A fleet for tests: devices that are rows in the database and report what a test lets them report.

fleet.join("a", "b", group="line")
fleet.report("a", Phase.HEALTHY)     # on its present desired document, running what it names
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import select, update

from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent, ReportsRequest
from lineside.server.clock import rfc3339
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.membership import ensure_group
from lineside.server.devices.reports import Reports
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.services import Core


class Fleet:
    """Devices without agents."""

    def __init__(self, core: Core) -> None:
        self._core, self._documents = core, DesiredDocuments(core)

    def join(self, *names: str, group: str = "line", twin: bool = False) -> None:
        """Devices join a group."""
        now = rfc3339(self._core.clock.now())
        with self._core.database.write() as session:
            for name in names:
                session.add(
                    DeviceRow(
                        name=name,
                        fingerprint=name,
                        twin=twin,
                        key="",
                        certificate="",
                        token="",
                        facts={},
                        joined_at=now,
                        last_seen=now,
                        state="accepted",
                        sequence=-1,
                    )
                )
                session.flush()
                ensure_group(session, group, now)
                session.add(GroupRow(device=name, group=group))

    def desired(self, name: str) -> Desired:
        """What a device should run."""
        with self._core.database.read() as session:
            return self._documents.desired(session, name)

    def revoke(self, name: str) -> None:
        """Shut a device out."""
        with self._core.database.write() as session:
            session.get_one(DeviceRow, name).state = "revoked"

    def report(self, name: str, phase: Phase, *, digest: str | None = None, code: str | None = None) -> None:
        """A device reports on its desired document; `digest` replaces the recipe digests it says it runs."""
        self.report_all({name: phase}, digest=digest, code=code)

    def report_all(
        self, phases: Mapping[str, Phase], *, digest: str | None = None, code: str | None = None, restarts: int = 0
    ) -> None:
        """Many devices report at once, each on its own desired document."""
        with self._core.database.read() as session:
            last = dict(session.execute(select(DeviceRow.name, DeviceRow.sequence)).all())
            said = [
                _report(self._documents.desired(session, name), phase, last[name] + 1, digest, code, restarts)
                for name, phase in phases.items()
            ]
        asyncio.run(self._accept(said))

    async def _accept(self, said: Sequence[Report]) -> None:
        reports = Reports(self._core)
        await asyncio.gather(*(reports.accept(one.device, ReportsRequest(reports=(one,))) for one in said))

    def hear(self, *names: str) -> None:
        """Devices ask for their documents, and have nothing to report."""
        seen = {"last_seen": rfc3339(self._core.clock.now())}
        with self._core.database.write() as session:
            for start in range(0, len(names), 500):
                named = DeviceRow.name.in_(names[start : start + 500])
                session.execute(update(DeviceRow).where(named).values(seen))


def _report(
    wanted: Desired, phase: Phase, sequence: int, digest: str | None, code: str | None, restarts: int
) -> Report:
    running = tuple(
        ReportedComponent(
            name=one.name,
            version=one.version,
            recipe_digest=digest or one.recipe_digest,
            state=ComponentState.RUNNING,
            restarts=restarts,
        )
        for one in wanted.components
    )
    return Report(
        device=wanted.device,
        sequence=sequence,
        at="2026-01-01T00:00:00Z",
        revision=wanted.revision,
        phase=phase,
        running=running if phase is Phase.HEALTHY else (),
        error=None if code is None else ErrorReport(code=code, message=f"{code} happened"),
    )
