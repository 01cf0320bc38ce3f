"""People's API of the audit trail."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from lineside.contract.audit import AuditPage, AuditVerdict
from lineside.server.access.trail import AuditTrail, Wanted

MOST = 2**53
"""Numbers above this are not exact in JSON."""

_JSON_LINES = "application/x-ndjson"


@get("/audit", sync_to_thread=True, summary="Decisions, newest first")
def list_audit(
    audit_trail: NamedDependency[AuditTrail],
    actor: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    subject: FromQuery[str | None] = None,
    since: FromQuery[str | None] = None,
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> AuditPage:
    """Rows numbered below `before`. `action` is a whole action or its noun; `since` a UTC time or the start of one."""
    wanted = Wanted(actor=actor, action=action, subject=subject, since=since)
    return audit_trail.page(wanted, before, limit)


@get("/audit/verify", sync_to_thread=True, summary="Whether anybody edited, removed, inserted or moved a row")
def verify_audit(
    audit_trail: NamedDependency[AuditTrail],
    number: Annotated[int | None, QueryParameter(ge=1, le=MOST)] = None,
    hash: FromQuery[str | None] = None,
) -> AuditVerdict:
    """Follows the whole chain. With `number` and `hash` it also looks for that row, as an export has it."""
    return audit_trail.verify((number, hash) if number is not None and hash is not None else None)


@get("/audit/export", sync_to_thread=True, media_type=_JSON_LINES, summary="Rows as JSON lines, oldest first")
def export_audit(
    audit_trail: NamedDependency[AuditTrail],
    since: Annotated[int, QueryParameter(ge=0, le=MOST)] = 0,
) -> Stream:
    """Those numbered above `since`. The last row says that they were exported, and by whom."""
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return Stream(audit_trail.export(since), headers=headers, media_type=_JSON_LINES)


routes = [list_audit, verify_audit, export_audit]
