"""Who asks: known to everything that happens within a request, so that rows can say who did it and from where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission, Role


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody who has proven who they are."""

    name: str
    by: str  # how we know: session, token, local, worker, device, system
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    roles: tuple[Role, ...] = ()
    source: str = ""  # their address

    def may(self, *wanted: Permission) -> bool:
        """Whether they have one of these permissions."""
        return bool(self.permissions.intersection(wanted))

    def check(self, *wanted: Permission) -> None:
        """Raises `auth.forbidden` unless they have one of these permissions."""
        if not self.may(*wanted):
            needed = " or ".join(one.value for one in wanted)
            raise LinesideError("auth.forbidden", who=self.name, permission=needed)


SYSTEM = Caller(name="control plane", by="system", permissions=frozenset(Permission))
"""The control plane itself: loops, and what starts with no request."""

_caller: ContextVar[Caller] = ContextVar("lineside_caller", default=SYSTEM)


def current() -> Caller:
    """Who asks for what is done now; the control plane itself outside of requests."""
    return _caller.get()


def become(caller: Caller) -> None:
    """From now on, and until the end of the request, `caller` asks: for a guard that finds out who it is."""
    _caller.set(caller)


@contextmanager
def acting(caller: Caller) -> Iterator[None]:
    """What is done inside is done for `caller`. Threads started by Litestar for a handler inherit it."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
