"""Callers on the control plane's own machine: whoever can read its root is an admin, and its worker is its worker.

R/keys/local.token is readable by its owner only, and kept over restarts. The worker's token is made anew at every start
and given to the worker in its environment.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission, Role
from lineside.server.access.authentication import Credentials, Doorkeeper
from lineside.server.access.caller import Caller
from lineside.server.adapters.files import write_atomic

FILE = "local.token"

_LOCAL, _WORKER = "lsl_", "lsw_"
_BYTES = 32

LOCAL = Caller(name="local", by="local", roles=(Role.ADMIN,), permissions=frozenset(Permission))
WORKER = Caller(name="worker", by="worker", permissions=frozenset({Permission.READ, Permission.WORK}))


def local_token(keys: Path) -> str:
    """The token in a keys folder; made when there is none. Raises `access.key_damaged`."""
    path = keys / FILE
    if not path.exists():
        write_atomic(path, (_LOCAL + secrets.token_urlsafe(_BYTES) + "\n").encode(), mode=0o600)
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("access.key_damaged", file=FILE, why=error) from error
    if not token.startswith(_LOCAL) or len(token) < len(_LOCAL) + _BYTES:
        raise LinesideError("access.key_damaged", file=FILE, why="it holds no token; delete it for a new one")
    return token


def new_worker_token() -> str:
    """A token for one start of the control plane."""
    return _WORKER + secrets.token_urlsafe(_BYTES)


class LocalTokens:
    """Knows the machine's own callers."""

    def __init__(self, local: str, worker: str) -> None:
        self._callers = ((local.encode(), LOCAL), (worker.encode(), WORKER))

    async def who(self, shown: Credentials) -> Caller | None:
        """The caller whose token this is."""
        token = (shown.token or "").encode()
        return next((caller for known, caller in self._callers if compare_digest(known, token)), None)


class Doorkeepers:
    """Several, asked in turn."""

    def __init__(self, *doorkeepers: Doorkeeper) -> None:
        self._doorkeepers = doorkeepers

    async def who(self, shown: Credentials) -> Caller | None:
        """Who the first of them that knows the caller says it is."""
        for doorkeeper in self._doorkeepers:
            if found := await doorkeeper.who(shown):
                return found
        return None
