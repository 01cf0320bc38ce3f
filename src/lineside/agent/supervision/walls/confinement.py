"""What a process is put into before its script begins: cgroups, a memory limit, another user, a sandbox.

`child.py` carries it out in the new process itself, so that nothing of the script ever runs outside.
"""

from __future__ import annotations

import msgspec


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A user and group to run as, with every group the user belongs to."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """One process's walls. `entries` are `cgroup.procs` files, `wrapper` a command that the script is given to."""

    entries: tuple[str, ...] = ()
    data_limit: int | None = None  # bytes, RLIMIT_DATA: of one process, not of all together
    identity: Identity | None = None
    wrapper: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """For the command line of `child.py`."""
        who = self.identity
        user = "" if who is None else f"{who.uid}:{who.gid}:{','.join(map(str, who.groups))}"
        limit = "" if self.data_limit is None else str(self.data_limit)
        return ["\n".join(self.entries), limit, user, str(len(self.wrapper)), *self.wrapper]


FREE = Confinement()
"""No walls: the agent's own user, no limits."""
