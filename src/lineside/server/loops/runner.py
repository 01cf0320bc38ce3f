"""Runs the loops: each step in a thread, under its lease; an error is logged, becomes an event once, and is retried."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.server.loops.lease import RENEW, Leases, leases_of
from lineside.server.services import Core, Loop

_log = structlog.get_logger("lineside.loops")
_LOOK = 1.0  # seconds at most between two looks at a lease that another process has


async def run(core: Core, loops: Sequence[Loop], leases: Leases | None = None) -> None:
    """Run all loops until cancelled, then give the leases back. A step under way when that happens ends by itself in
    its thread; where the database is shared, its next write is refused."""
    leases = leases or leases_of(core.database, core.clock, core.root)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_renew(leases), name="leases")
            for loop in loops:
                group.create_task(_forever(core, Runner(core, leases, loop), loop), name=f"loop {loop.name}")
    finally:
        await asyncio.to_thread(_give_back, leases)


async def _forever(core: Core, runner: Runner, loop: Loop) -> None:
    woken = core.wakes.listen(loop.name)
    while True:
        acted = await asyncio.to_thread(runner.once)
        await woken.sleep(loop.seconds if acted else min(loop.seconds, _LOOK))


async def _renew(leases: Leases) -> None:
    here = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "leases") as own:  # steps may take every other thread there is
        while True:
            await asyncio.sleep(RENEW)
            try:
                await here.run_in_executor(own, leases.renew)
            except SQLAlchemyError as error:
                _log.warning("leases not renewed", why=type(error).__name__)


def _give_back(leases: Leases) -> None:
    try:
        leases.give_back()
    except SQLAlchemyError as error:
        _log.warning("leases not given back", why=type(error).__name__)


class Runner:
    """One loop: what its last step came to."""

    def __init__(self, core: Core, leases: Leases, loop: Loop) -> None:
        self._core, self._leases, self._loop = core, leases, loop
        self._told: ErrorReport | None = None

    def once(self) -> bool:
        """One step, when this process holds the loop's lease; whether it was this one's turn. Errors do not leave: the
        next step tries again."""
        try:
            return self._step()
        except LinesideError as error:
            if error.code == "loop.lease_lost":
                _log.warning("lease lost", loop=self._loop.name)
                return False
            self._failed(error.report(), error)
        except Exception as error:  # noqa: BLE001 a loop outlives whatever its step meets; the log has the traceback
            self._failed(LinesideError("internal.unexpected", why=type(error).__name__).report(), error)
        return True

    def _step(self) -> bool:
        if self._loop.everywhere:
            self._loop.step()
        elif self._leases.hold(self._loop.name):
            with self._leases.fence(self._loop.name):
                self._loop.step()
        else:
            return False
        self._told = None
        return True

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
