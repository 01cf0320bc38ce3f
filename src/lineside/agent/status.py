"""`lineside agent status`: what is on disk about a device, and whether its agent runs."""

from __future__ import annotations

import sqlite3

import msgspec

from lineside.agent.database import Database, is_damage
from lineside.agent.health.disk import disk_now, disk_problem
from lineside.agent.health.watch import kept
from lineside.agent.link.join_state import JoinState
from lineside.agent.link.outbox import Outbox
from lineside.agent.local.alone import identity
from lineside.agent.lock import holder
from lineside.agent.paths import Paths
from lineside.agent.updating.state import State
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import Report


class InstalledVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A component of the good set."""

    name: str
    version: str
    recipe_digest: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `lineside agent status --json` prints. `pid` is null when no agent runs on the root."""

    device: str
    url: str
    twin: bool
    pid: int | None
    desired_revision: int | None
    good_revision: int | None
    trying_revision: int | None
    components: tuple[InstalledVersion, ...]
    reports_waiting: int
    transferred_bytes: int
    report: Report | None  # the newest, sent or not
    conditions: tuple[ErrorReport, ...] = ()  # what is wrong with the device itself


def status(paths: Paths) -> Status:
    """Read it. Raises `agent.not_joined`, `state.unreadable`, `state.newer_schema`."""
    joined = identity(paths)
    try:
        return _status(joined, paths)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise LinesideError("state.unreadable", file=paths.database, why=error) from error


def _status(joined: JoinState, paths: Paths) -> Status:
    database = Database(paths.database)
    try:
        state, outbox = State(database), Outbox(database)
        desired, good, attempt = state.desired(), state.good(), state.attempt()
        return Status(
            device=joined.device,
            url=joined.url,
            twin=joined.twin,
            pid=holder(paths),
            desired_revision=desired.document.revision if desired else None,
            good_revision=good.revision if good.document else None,
            trying_revision=attempt.wanted.revision if attempt else None,
            components=tuple(
                InstalledVersion(name=item.name, version=item.version, recipe_digest=item.recipe_digest)
                for item in good.components
            ),
            reports_waiting=len(outbox.waiting()),
            transferred_bytes=state.transferred(),
            report=outbox.newest(),
            conditions=_conditions(paths, kept(database)),
        )
    finally:
        database.close()


def _conditions(paths: Paths, written: tuple[ErrorReport, ...]) -> tuple[ErrorReport, ...]:
    """What the agent wrote down, and the disk as it is now: an agent on a bad disk could not write that down."""
    try:
        problem = disk_now(paths.root, writing=False)
    except OSError as error:
        problem = disk_problem(error, paths.root)
    if problem is None or any(one.code == problem.code for one in written):
        return written
    return (*written, problem.report())


def sentence(status: Status) -> str:
    """The same for people."""
    phase = status.report.phase.value if status.report else "nothing reported yet"
    alive = f"running, pid {status.pid}" if status.pid else "not running"
    lines = [f"{status.device} → {status.url or 'no control plane'} ({'twin, ' if status.twin else ''}agent {alive})"]
    lines.append(f"desired revision {status.desired_revision}, good revision {status.good_revision}: {phase}")
    lines += [f"  {item.name} {item.version}" for item in status.components]
    if status.report and status.report.error:
        lines.append(f"  {status.report.error.code}: {status.report.error.message}")
    for one in status.conditions:
        lines.append(f"  {one.code}: {one.message}\n    {one.next}")
    return "\n".join(lines)
