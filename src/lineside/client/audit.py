"""Operations of people's API about what was decided, and where a result came from."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.audit import AuditPage, AuditVerdict
from lineside.contract.lineage import ResultLineage


class AuditTrail(Calls):
    """What was decided, and where a result came from."""

    def audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> AuditPage:
        """Decisions numbered below `before`, newest first. `action` is a whole action or its noun."""
        query = {"actor": actor, "action": action, "subject": subject, "since": since}
        return self.connection.call("GET", "/audit", AuditPage, query=query | {"before": before, "limit": limit})

    def verify_audit(self, kept: tuple[int, str] | None = None) -> AuditVerdict:
        """Whether the trail is unbroken; `kept` is a row's number and hash that it must still have."""
        number, digest = kept or (None, None)
        return self.connection.call("GET", "/audit/verify", AuditVerdict, query={"number": number, "hash": digest})

    def export_audit(self, *, since: int = 0) -> Iterator[bytes]:
        """Rows numbered above `since` as JSON lines, in pieces. This is a decision, too: their last row says so."""
        return self.connection.stream("/audit/export", {"since": since or None})

    def lineage(self, result: int) -> ResultLineage:
        """Where a result came from, back to the images."""
        return self.connection.call("GET", path("lineage", result), ResultLineage)

    def capture_lineage(self, capture: str) -> ResultLineage:
        """The same for the result that came with a capture, also when the result itself is not kept any more."""
        return self.connection.call("GET", path("captures", capture, "lineage"), ResultLineage)
