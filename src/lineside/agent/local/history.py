"""Local deployments as they are listed: those that wait, the one under way, and the last that have ended."""

from __future__ import annotations

from lineside.agent.bus.ports import LocalDeploymentRequest
from lineside.agent.local.model import Entry, Record
from lineside.agent.local.spool import Spool, Spooled
from lineside.contract.errors import LinesideError

ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


def entries(record: Record, spool: Spool) -> list[Entry]:
    """All deployments that are remembered or wait, newest first."""
    known = {one.id for one in record.history}
    waiting = [entry_of(one, "QUEUED") for one in spool.waiting() if one.id not in known]
    return [*reversed(waiting), *record.history]


def check_cancel(id: str, record: Record, spool: Spool) -> None:
    """Whether a deployment can be cancelled. Raises `bus.deployment_unknown`, `local.ended`."""
    entry = next((one for one in entries(record, spool) if one.id == id), None)
    if entry is None:
        raise LinesideError("bus.deployment_unknown", deployment=id)
    if entry.status in ENDED:
        raise LinesideError("local.ended", id=id, status=entry.status)


def describe(request: LocalDeploymentRequest) -> str:
    """A request in a few words."""
    added = [f"{name} {version}".strip() for name, version in sorted(request.add.items())]
    only = sorted((set(request.merge) | set(request.reset) | set(request.run_with)) - set(request.add))
    return ", ".join(
        [*added, *(f"{name} configured" for name in only), *(f"{name} removed" for name in request.remove)]
    )


def entry_of(spooled: Spooled, status: str) -> Entry:
    """A deployment that was handed over, as the history shows it."""
    return Entry(id=spooled.id, kind=spooled.kind, status=status, created_at=spooled.created_at, what=spooled.what)
