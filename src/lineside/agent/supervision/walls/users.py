"""`runWith.posixUser`: which user and group a component runs as, and its work directory as theirs.

"user:group", "user" (with that user's own group) or numbers. Only an agent that runs as root can change the user. Such
a component gets no new privileges (sudo and set-user-ID programs do not work in it); a step with `RequiresPrivilege`
runs as the agent's own user instead.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from lineside.agent.supervision.walls.confinement import Identity
from lineside.contract.errors import LinesideError


def identity(component: str, wanted: str | None) -> Identity | None:
    """Whom to become; None when it is who the agent is already, or nobody in particular is wanted.

    Raises `component.user_unknown`, `component.user_needs_root`.
    """
    if not wanted:
        return None
    user, _, group = wanted.partition(":")
    try:
        account = _account(user) if user else None
        gid = _group(group) if group else account.pw_gid if account else None
        uid = account.pw_uid if account else int(user) if user else os.geteuid()
    except (KeyError, ValueError) as error:
        raise LinesideError("component.user_unknown", name=component, user=wanted) from error
    if gid is None:
        raise LinesideError("component.user_unknown", name=component, user=wanted)
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return None
    if os.geteuid() != 0:
        raise LinesideError("component.user_needs_root", name=component, user=wanted, uid=os.geteuid())
    name, home = (account.pw_name, account.pw_dir) if account else (str(uid), "/")
    groups = tuple(os.getgrouplist(name, gid)) if account else (gid,)
    return Identity(uid=uid, gid=gid, groups=groups, name=name, home=home)


def _account(user: str) -> pwd.struct_passwd | None:
    """The account of a name; a number needs none. Raises `KeyError`."""
    if not user.isdecimal():
        return pwd.getpwnam(user)
    try:
        return pwd.getpwuid(int(user))
    except KeyError:
        return None


def _group(group: str) -> int:
    return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid


def give(directory: Path, who: Identity) -> None:
    """Make a directory tree theirs. Links are not followed, and a file with a second name elsewhere is left alone.

    The directory itself comes last: when it is theirs already, so is what it holds.
    """
    found = directory.stat()
    if (found.st_uid, found.st_gid) == (who.uid, who.gid):
        return
    for _, _, files, handle in os.fwalk(directory, topdown=False):
        for name in files:
            _give_one(name, handle, who)
        _give_one(".", handle, who)


def _give_one(name: str, handle: int, who: Identity) -> None:
    try:
        found = os.stat(name, dir_fd=handle, follow_symlinks=False)
        shared = not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1
        if not shared and (found.st_uid, found.st_gid) != (who.uid, who.gid):
            os.chown(name, who.uid, who.gid, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return
