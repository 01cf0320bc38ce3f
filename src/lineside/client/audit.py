"""Operations of people's API about what was decided, and where a result came from."""

from __future__ import annotations

from lineside.client.calls import Calls


class AuditTrail(Calls):
    """What was decided, and where a result came from."""
