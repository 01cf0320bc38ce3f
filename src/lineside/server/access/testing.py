"""The fake beside the doorkeeper's port: for tests of rooms that are not about who may do what."""

from __future__ import annotations

from lineside.contract.people import Permission, Role
from lineside.server.access.authentication import Credentials
from lineside.server.access.caller import Caller

TESTER = Caller(name="tester", by="local", permissions=frozenset(Permission), roles=(Role.ADMIN,))


class OpenDoor:
    """Everybody is an admin named "tester", whatever they show."""

    async def who(self, shown: Credentials) -> Caller | None:
        """The tester."""
        return TESTER


class Listed:
    """Callers by token or session: `Listed({"secret": caller})`."""

    def __init__(self, callers: dict[str, Caller]) -> None:
        self._callers = callers

    async def who(self, shown: Credentials) -> Caller | None:
        """The caller listed under what is shown."""
        return self._callers.get(shown.token or shown.session or "")
