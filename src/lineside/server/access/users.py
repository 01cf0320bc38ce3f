"""What admins do about people. There is always an admin who is not disabled."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.people import RESERVED_NAMES, USER_NAME, NewUser, OneTimeLink, Role, User
from lineside.server.access.caller import current
from lineside.server.access.links import Links
from lineside.server.access.people_store import LinkRow, UserRow, all_users, end_sessions, forget_user, user_named
from lineside.server.clock import rfc3339
from lineside.server.services import Core

FIRST = "admin"
"""The name of the first admin."""


class Users:
    """The people who have access. Every change ends with an audit line and an event."""

    def __init__(self, core: Core, links: Links) -> None:
        self._core = core
        self._links = links

    def list(self) -> Sequence[User]:
        """Everybody by name."""
        with self._core.database.read() as session:
            return [row.value() for row in all_users(session)]

    def get(self, name: str) -> User:
        """One person. Raises `user.unknown`."""
        with self._core.database.read() as session:
            return _found(session, name, lock=False).value()

    def create(self, request: NewUser) -> User:
        """Somebody new, without a password; make them a link. Raises `user.name_bad`, `user.no_role`, `user.exists`."""
        check_name(request.name)
        with self._core.database.write() as session:
            if user_named(session, request.name) is not None:
                raise LinesideError("user.exists", name=request.name)
            return self.add(session, request.name, _sorted(request.name, request.roles)).value()

    def add(self, session: Session, name: str, roles: tuple[Role, ...]) -> UserRow:
        """Somebody new."""
        row = UserRow(name=name, roles=roles, enabled=True, created_at=rfc3339(self._core.clock.now()))
        session.add(row)
        session.flush()
        self.record(session, "create", "created", row, _words(roles))
        return row

    def set_roles(self, name: str, roles: tuple[Role, ...]) -> User:
        """Replace somebody's roles, which counts from their next request on. Raises `user.unknown`, `user.no_role`,
        `user.last_admin`, `user.elsewhere`."""
        with self._core.database.write() as session:
            row = _found(session, name)
            _not_elsewhere(row)
            roles = _sorted(name, roles)
            if Role.ADMIN not in roles:
                _check_not_last(session, row)
            row.roles = roles
            self.record(session, "roles", "roles", row, _words(roles))
            return row.value()

    def disable(self, name: str) -> User:
        """Shut somebody out, now: sessions end, tokens and links do nothing. Raises `user.unknown`,
        `user.last_admin`."""
        with self._core.database.write() as session:
            row = _found(session, name)
            _check_not_last(session, row)
            row.enabled = False
            end_sessions(session, name)
            session.execute(delete(LinkRow).where(LinkRow.user == name))
            self.record(session, "disable", "disabled", row)
            return row.value()

    def enable(self, name: str) -> User:
        """Let somebody in again, by the password and tokens they had. Raises `user.unknown`."""
        with self._core.database.write() as session:
            row = _found(session, name)
            row.enabled = True
            self.record(session, "enable", "enabled", row)
            return row.value()

    def remove(self, name: str) -> User:
        """Forget somebody, with their sessions, tokens and links; the audit trail keeps what they did. Raises
        `user.unknown`, `user.last_admin`."""
        with self._core.database.write() as session:
            row = _found(session, name)
            _check_not_last(session, row)
            forget_user(session, row)
            self.record(session, "remove", "removed", row)
            return row.value()

    def link(self, name: str) -> OneTimeLink:
        """An address where somebody chooses a password; the one they have stays good until then. Raises
        `user.unknown`, `user.disabled`, `user.elsewhere`."""
        with self._core.database.write() as session:
            row = _found(session, name)
            if not row.enabled:
                raise LinesideError("user.disabled", name=name)
            _not_elsewhere(row)
            self.record(session, "link", "link", row)
            return self._links.make(session, name)

    def record(self, session: Session, verb: str, kind: str, row: UserRow, why: str = "") -> None:
        """A decision about somebody: the audit's line, and the event for people."""
        words = {
            "created": f"{row.name} was given access as {why}",
            "roles": f"{row.name} is now {why}",
            "disabled": f"{row.name} was disabled",
            "enabled": f"{row.name} was enabled again",
            "removed": f"{row.name} was removed",
            "link": f"a one-time link was made for {row.name}",
            "password": f"{row.name} has a new password",
        }[kind]
        self._core.audit.record(session, f"user.{verb}", row.name, why=why)
        who = current().name
        self._core.events.record(session, kind=f"user.{kind}", subject=row.name, message=words, actor=who)


def check_name(name: str) -> None:
    """Raises `user.name_bad` unless somebody may have this name."""
    if USER_NAME.fullmatch(name) is None:
        why = "a name has lower-case letters, digits, '.', '_', '@', '+' and '-', at most 64"
        raise LinesideError("user.name_bad", name=repr(name[:80]), why=why)
    if name in RESERVED_NAMES:
        raise LinesideError("user.name_bad", name=name, why="the audit trail calls others so")


def _found(session: Session, name: str, *, lock: bool = True) -> UserRow:
    row = user_named(session, name, lock=lock)
    if row is None:
        raise LinesideError("user.unknown", name=name)
    return row


def _sorted(name: str, roles: tuple[Role, ...]) -> tuple[Role, ...]:
    if not roles:
        raise LinesideError("user.no_role", name=name)
    return tuple(role for role in Role if role in roles)


def _check_not_last(session: Session, row: UserRow) -> None:
    """Raises `user.last_admin` when nobody else could administer."""
    others = (each for each in all_users(session) if each.name != row.name and each.enabled)
    if row.enabled and Role.ADMIN in row.roles and not any(Role.ADMIN in each.roles for each in others):
        raise LinesideError("user.last_admin", name=row.name)


def _not_elsewhere(row: UserRow) -> None:
    if row.issuer is not None:
        raise LinesideError("user.elsewhere", name=row.name, issuer=row.issuer)


def _words(roles: tuple[Role, ...]) -> str:
    return ", ".join(role.value for role in roles)
