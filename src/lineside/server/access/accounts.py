"""Accounts: how people get in, stay in and leave. The doorkeeper for sessions and API tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from msgspec import structs
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.people import (
    ChangePassword,
    Login,
    NewToken,
    OneTimeLink,
    Permission,
    Role,
    SignedIn,
    UseLink,
    WhoAmI,
    permissions_of,
    within_a_token,
)
from lineside.server.access.api_tokens import ApiTokens
from lineside.server.access.authentication import Credentials
from lineside.server.access.caller import SYSTEM, Caller, acting, current
from lineside.server.access.doorstep import Doorstep
from lineside.server.access.links import Links
from lineside.server.access.passwords import Passwords, check_new
from lineside.server.access.people_store import (
    UserRow,
    all_users,
    anybody_with_a_way_in,
    end_sessions,
    user_named,
    user_of_subject,
)
from lineside.server.access.sessions import Sessions, is_stale
from lineside.server.access.stamps import Stamps
from lineside.server.access.throttle import Attempt, Throttle
from lineside.server.access.users import FIRST, Users, check_name
from lineside.server.clock import rfc3339
from lineside.server.services import Core

_LOGIN_TOKEN_SECONDS = 30 * 24 * 3600
"""How long the token that `lineside login` asks for is good for."""


@dataclass(frozen=True, kw_only=True)
class Entered:
    """Somebody is in: what they are told, and what their browser is given (nothing when they asked for a token)."""

    answer: SignedIn
    session: str | None = field(default=None, repr=False)  # the new session's id
    seconds: int = 0  # how long it lasts at most
    known: str = field(default="", repr=False)  # see `throttle`


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom an OpenID provider vouches for."""

    issuer: str
    subject: str
    name: str
    roles: tuple[Role, ...]


class Accounts:
    """People's accounts on one control plane."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.stamps = Stamps(core.keys, core.clock)
        self._passwords = Passwords(core.settings)
        self._throttle = Throttle(core.clock, self.stamps)
        self._sessions = Sessions(core.clock, core.settings)
        self._links = Links(core)
        self.users = Users(core, self._links)
        self.tokens = ApiTokens(core)
        self._told = Doorstep(core.clock)

    # --- the doorkeeper -------------------------------------------------------------------------------------------

    async def who(self, shown: Credentials) -> Caller | None:
        """Whose session or API token this is; None when it is nobody's (any more)."""
        if shown.token is None and shown.session is None:
            return None
        return await asyncio.to_thread(self._who, shown)

    def _who(self, shown: Credentials) -> Caller | None:
        with self._core.database.read() as session:
            token = row = None
            if shown.token is not None:
                token = self.tokens.find(session, shown.token)
                user = session.get(UserRow, token.user) if token else None
                used = token.used_at if token else None
            else:
                row = self._sessions.find(session, shown.session or "")
                user = session.get(UserRow, row.user) if row else None
                used = row.seen_at if row else None
        if user is None or not user.enabled:
            return None
        if is_stale(used, self._core.clock.now()):
            self._touch(shown)
        if token is None:
            return _themselves(user, "session", shown.source)
        permissions = within_a_token(user.roles) & set(token.permissions)
        return Caller(name=user.name, by="token", permissions=permissions, roles=user.roles, source=shown.source)

    def _touch(self, shown: Credentials) -> None:
        with self._core.database.write() as session:
            if shown.token is None:
                self._sessions.touch(session, shown.session or "")
            elif row := self.tokens.find(session, shown.token):
                row.used_at = rfc3339(self._core.clock.now())

    # --- the first start ------------------------------------------------------------------------------------------

    def first_link(self) -> OneTimeLink | None:
        """A new one-time link for the first admin, who is made when there is nobody; None once somebody has a way
        in. It is for the terminal of whoever started the control plane."""
        with self._core.database.write() as session:
            if anybody_with_a_way_in(session):
                return None
            admins = [row for row in all_users(session) if row.enabled and Role.ADMIN in row.roles]
            with acting(SYSTEM):
                row = admins[0] if admins else self.users.add(session, FIRST, (Role.ADMIN,))
                self.users.record(session, "link", "link", row)
            return self._links.make(session, row.name)

    def somebody_can_sign_in(self) -> bool:
        """Whether the door has a lock that somebody has a key to."""
        with self._core.database.read() as session:
            return bool(self._core.settings.oidc_issuer) or anybody_with_a_way_in(session)

    # --- in -------------------------------------------------------------------------------------------------------

    def login(self, request: Login, shown: Credentials, known: str | None = None) -> Entered:
        """By name and password. `known` is the stamp of a browser that somebody signed in with before. Raises
        `login.refused`, `login.too_often`, `login.busy`."""
        name = request.name.strip().lower()
        with self._core.database.read() as session:
            row = user_named(session, name)
        stored = row.password if row is not None and row.enabled else None
        attempt = self._judged(name, stored, request.password, shown, known)
        assert stored is not None
        renewed = self._passwords.hash(request.password) if self._passwords.is_outdated(stored) else stored
        with self._core.database.write() as session:
            row = user_named(session, name, lock=True)
            if row is None or not row.enabled or row.password != stored:  # it has changed in this very moment
                raise LinesideError("login.refused")
            self._throttle.succeeded(session, attempt)
            row.password = renewed
            return self._enter(session, row, "password", shown, request.token)

    def use_link(self, request: UseLink, shown: Credentials) -> Entered:
        """Choose a password, sign out everywhere else, and sign in. Raises `login.link_unknown`, `password.bad`,
        `login.busy`."""
        with self._core.database.read() as session:
            user = self._links.whose(session, request.link)
        check_new(user, request.password)
        hashed = self._passwords.hash(request.password)
        with self._core.database.write() as session:
            row = session.get(UserRow, self._links.use(session, request.link), with_for_update=True)
            if row is None or not row.enabled:
                raise LinesideError("login.link_unknown")
            with acting(_themselves(row, "link", shown.source)):
                self._set_password(session, row, hashed)
            return self._enter(session, row, "link", shown, request.token)

    def link_user(self, text: str) -> str:
        """For whom a one-time link was made. Raises `login.link_unknown`."""
        with self._core.database.read() as session:
            return self._links.whose(session, text)

    def from_provider(self, identity: Identity, shown: Credentials) -> Entered:
        """Somebody an OpenID provider vouches for; the first time, they get an account. Their roles are what the
        provider gives, each time. Raises `oidc.no_role`, `oidc.name`, `login.refused`, `user.name_bad`."""
        if not identity.roles:
            raise LinesideError("oidc.no_role", name=identity.name)
        with self._core.database.write() as session:
            row = user_of_subject(session, identity.issuer, identity.subject)
            with acting(Caller(name=identity.name, by="oidc", source=shown.source)):
                if row is None:
                    row = self._welcome(session, identity)
                elif row.roles != identity.roles:
                    row.roles = identity.roles
                    words = ", ".join(role.value for role in identity.roles)
                    self.users.record(session, "roles", "roles", row, words)
            if not row.enabled:
                raise LinesideError("login.refused")
            return self._enter(session, row, "oidc", shown, None)

    def refused(self, error: LinesideError) -> None:
        """Write down that somebody who came from a provider was not let in; of a stranger who knocks all the time only
        so often."""
        if not self._told.passes(current().source):
            return
        with self._core.database.write() as session:
            self._core.audit.record(session, "session.refuse", "somebody unknown", why=error.code)

    def _welcome(self, session: Session, identity: Identity) -> UserRow:
        check_name(identity.name)
        if session.get(UserRow, identity.name) is not None:
            raise LinesideError("oidc.name", name=identity.name, why="somebody else has that name here")
        row = self.users.add(session, identity.name, identity.roles)
        row.issuer, row.subject = identity.issuer, identity.subject
        return row

    # --- inside ---------------------------------------------------------------------------------------------------

    def change_password(
        self, caller: Caller, request: ChangePassword, shown: Credentials, known: str | None = None
    ) -> Entered | None:
        """A new password, by the current one; every session ends, and the one that asks goes on as a new one. API
        tokens go on. Raises `login.refused`, `login.too_often`, `password.bad`, `user.no_person`."""
        with self._core.database.read() as session:
            row = session.get(UserRow, caller.name) if caller.by in ("session", "token") else None
        if row is None or row.password is None:
            raise LinesideError("user.no_person", who=caller.name)
        check_new(row.name, request.new)
        attempt = self._judged(row.name, row.password, request.current, shown, known)
        hashed = self._passwords.hash(request.new)
        with self._core.database.write() as session:
            now = session.get(UserRow, caller.name, with_for_update=True)
            if now is None or not now.enabled or now.password != row.password:
                raise LinesideError("login.refused")
            self._throttle.succeeded(session, attempt)
            self._set_password(session, now, hashed)
            return self._enter(session, now, "password", shown, None) if caller.by == "session" else None

    def logout(self, caller: Caller, shown: Credentials) -> None:
        """The session or the API token that asks is good no more."""
        with self._core.database.write() as session:
            if caller.by == "session" and shown.session:
                self._sessions.end(session, shown.session)
            elif caller.by == "token" and shown.token and (row := self.tokens.find(session, shown.token)):
                self.tokens.remove(session, row)
            else:
                return
            self._core.audit.record(session, "session.logout", caller.name)

    def is_person(self, caller: Caller) -> bool:
        """Whether the caller has a password to change."""
        with self._core.database.read() as session:
            row = session.get(UserRow, caller.name) if caller.by in ("session", "token") else None
        return row is not None and row.password is not None

    # --- parts ----------------------------------------------------------------------------------------------------

    def _judged(self, name: str, stored: str | None, password: str, shown: Credentials, known: str | None) -> Attempt:
        """An attempt whose password fits. Outside of transactions, but for the counting."""
        with self._core.database.write() as session:
            attempt = self._throttle.admit(session, name, shown.source, known)
        with self._undone(lambda session: self._throttle.undo(session, attempt)):
            good = self._passwords.check(stored, password)
        if good:
            return attempt
        with self._core.database.write() as session:
            # A name that nobody has is not written down: people type passwords there.
            subject = name if user_named(session, name) is not None else "somebody unknown"
            self._core.audit.record(session, "session.refuse", subject, why="the name and the password do not fit")
        raise LinesideError("login.refused")

    @contextmanager
    def _undone(self, undo: Callable[[Session], None]) -> Iterator[None]:
        """What could not be judged was no attempt."""
        try:
            yield
        except LinesideError:
            with self._core.database.write() as session:
                undo(session)
            raise

    def _set_password(self, session: Session, row: UserRow, hashed: str) -> None:
        row.password = hashed
        end_sessions(session, row.name)
        self._throttle.clear(session, row.name)
        self.users.record(session, "password", "password", row)

    def _enter(self, session: Session, row: UserRow, how: str, shown: Credentials, token: str | None) -> Entered:
        row.signed_in_at = rfc3339(self._core.clock.now())
        themselves = _themselves(row, how, shown.source)
        with acting(themselves):
            self._core.audit.record(session, "session.login", row.name, why=f"by {how}")
            known = self._throttle.known(row.name)
            if token is not None:
                ttl = min(_LOGIN_TOKEN_SECONDS, self._core.settings.token_seconds)
                request = NewToken(name=token, permissions=tuple(permissions_of(row.roles)), ttl_seconds=ttl)
                made = self.tokens.make(session, row, request)
                answer = SignedIn(who=who_is(replace(themselves, by="token")), expires_at=made.about.expires_at)
                return Entered(answer=structs.replace(answer, token=made.token), known=known)
            text, expires = self._sessions.begin(session, row.name, shown.session)
            answer = SignedIn(who=who_is(replace(themselves, by="session")), expires_at=expires)
            return Entered(answer=answer, session=text, seconds=self._sessions.longest, known=known)


def who_is(caller: Caller) -> WhoAmI:
    """A caller as they travel."""
    permissions = tuple(each for each in Permission if each in caller.permissions)
    return WhoAmI(name=caller.name, roles=caller.roles, permissions=permissions, by=caller.by)


def _themselves(row: UserRow, by: str, source: str) -> Caller:
    return Caller(name=row.name, by=by, permissions=permissions_of(row.roles), roles=row.roles, source=source)
