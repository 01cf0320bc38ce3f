"""Runs the loops: each step in a thread, under its lease; an error is logged, becomes an event once, and is retried."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.server.loops.lease import Leases, holder_of
from lineside.server.services import Core, Loop

_log = structlog.get_logger("lineside.loops")


async def run(core: Core, loops: Sequence[Loop]) -> None:
    """Run all loops until cancelled. A step under way when that happens ends by itself in its thread."""
    leases = Leases(core.database, core.clock, holder_of(core.root))
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(_forever(Runner(core, leases, loop), loop.seconds), name=f"loop {loop.name}")


async def _forever(runner: Runner, seconds: float) -> None:
    while True:
        await asyncio.to_thread(runner.once)
        await asyncio.sleep(seconds)


class Runner:
    """One loop: what its last step came to."""

    def __init__(self, core: Core, leases: Leases, loop: Loop) -> None:
        self._core, self._leases, self._loop = core, leases, loop
        self._told: ErrorReport | None = None

    def once(self) -> None:
        """One step, when this process holds the loop's lease. Errors do not leave: the next step tries again."""
        try:
            if self._leases.hold(self._loop.name):
                self._loop.step()
                self._told = None
        except LinesideError as error:
            self._failed(error.report(), error)
        except Exception as error:  # noqa: BLE001 a loop outlives whatever its step meets; the log has the traceback
            self._failed(LinesideError("internal.unexpected", why=type(error).__name__).report(), error)

    def _failed(self, report: ErrorReport, error: Exception) -> None:
        _log.error("step failed", loop=self._loop.name, code=report.code, exc_info=error)
        if report == self._told:
            return
        self._told = report
        try:
            with self._core.database.write() as session:
                message = f"The loop {self._loop.name} tries again: {report.message}"
                self._core.events.record(
                    session, kind="loop.failed", subject=self._loop.name, message=message, error=report
                )
        except Exception as second:  # noqa: BLE001 the database itself may be what fails; the log has said it all
            _log.error("event not stored", loop=self._loop.name, exc_info=second)
