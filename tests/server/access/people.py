"""A control plane whose door has a lock: real accounts, cheap passwords, and people who sign in over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from lineside.contract.audit import AuditEntry
from lineside.contract.people import NewToken, NewUser, Permission, Role
from lineside.server.access.accounts import Accounts
from lineside.server.access.audit import AuditRow
from lineside.server.access.authentication import Credentials
from lineside.server.access.caller import Caller
from lineside.server.access.local_token import Doorkeepers, LocalTokens
from lineside.server.access.room import room as access
from lineside.server.app import ROOMS
from lineside.server.clock import Clock
from lineside.server.devices.room import room as devices
from lineside.server.testing import Running, running
from tests.eventually import PATIENCE

CHEAP = {"password_rounds": 1, "password_memory_kib": 64, "password_lanes": 1}
PASSWORD = "correct horse battery"
LOCAL = Caller(name="local", by="local", permissions=frozenset(Permission), roles=(Role.ADMIN,))


class _Door:
    """The accounts of a control plane that is only being built; and its own machine ("local", "worker")."""

    accounts: Accounts | None = None
    machine = LocalTokens("local", "worker")

    async def who(self, shown: Credentials) -> Caller | None:
        assert self.accounts is not None
        return await Doorkeepers(self.machine, self.accounts).who(shown)


class House:
    """A control plane and its people."""

    def __init__(self, up: Running, accounts: Accounts, open_: ExitStack) -> None:
        self.up, self.accounts = up, accounts
        self._open = open_
        self.api = up.people_url + "/api/v1"

    def browser(self, **options: Any) -> httpx.Client:
        """Somebody's browser: it keeps cookies, and says that its requests come from our own pages. Closed with the
        house."""
        options = {"headers": {"Origin": self.up.people_url}} | options
        return self._open.enter_context(httpx.Client(base_url=self.up.people_url, timeout=PATIENCE, **options))

    def with_token(self, token: str) -> httpx.Client:
        """A program that shows a token."""
        return self.browser(headers={"Authorization": f"Bearer {token}"})

    def local(self) -> httpx.Client:
        """An admin at the control plane's machine."""
        return self.with_token("local")

    def person(self, name: str, *roles: Role, password: str = PASSWORD) -> httpx.Client:
        """Somebody new, signed in, in a browser of their own."""
        self.accounts.users.create(NewUser(name=name, roles=roles))
        browser = self.browser()
        link = self.accounts.users.link(name).url.partition("token=")[2]
        browser.post("/api/v1/login/link", json={"link": link, "password": password}).raise_for_status()
        return browser

    def login(self, name: str, password: str = PASSWORD, browser: httpx.Client | None = None) -> httpx.Response:
        """Somebody tries to sign in."""
        return (browser or self.browser()).post("/api/v1/login", json={"name": name, "password": password})

    def token(self, owner: str, *permissions: Permission, ttl: int = 3600, name: str = "job") -> str:
        """An API token of somebody."""
        request = NewToken(name=name, permissions=permissions, ttl_seconds=ttl, user=owner)
        return self.accounts.tokens.create(LOCAL, request, None).token

    def audit(self) -> list[AuditEntry]:
        """Every decision so far."""
        with self.up.core.database.read() as session:
            rows = session.query(AuditRow).order_by(AuditRow.number).all()
            fields = AuditEntry.__struct_fields__
            return [msgspec.convert({name: getattr(row, name) for name in fields}, AuditEntry) for row in rows]

    def decisions(self) -> list[tuple[str, str, str]]:
        """Every decision so far: who, what, about whom."""
        return [(entry.actor, entry.action, entry.subject) for entry in self.audit()]


@contextmanager
def house(root: Path, clock: Clock | None = None, *, full: bool = False, **settings: Any) -> Iterator[House]:
    """A control plane on `root`, with every room when it is to be `full`; people come back to it when it is opened a
    second time."""
    door = _Door()
    rooms = ROOMS if full else (access, devices)
    with running(root, clock, rooms, door, **(CHEAP | settings)) as up:
        door.accounts = Accounts(up.core)
        with ExitStack() as open_:
            yield House(up, door.accounts, open_)


def code(answer: httpx.Response) -> str:
    """What an answer that is no success is called."""
    return str(answer.json()["error"]["code"])
