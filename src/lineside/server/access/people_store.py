"""Tables of people, their sessions, tokens, links and attempts. What proves who somebody is stands here as a hash."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Index, String, Text, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.people import USER_NAME, ApiToken, Permission, Role, User
from lineside.server.database import Base, Json


class UserRow(Base):
    """A person. `password` is an argon2 hash; `issuer` and `subject` are who they are at an OpenID provider."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    roles: Mapped[tuple[Role, ...]] = mapped_column(Json(tuple[Role, ...]))
    enabled: Mapped[bool]
    password: Mapped[str | None] = mapped_column(Text, default=None)
    issuer: Mapped[str | None] = mapped_column(String(256), default=None)
    subject: Mapped[str | None] = mapped_column(String(256), default=None)
    created_at: Mapped[str] = mapped_column(String(32))
    signed_in_at: Mapped[str | None] = mapped_column(String(32), default=None)

    def value(self) -> User:
        """The row as it travels."""
        return User(
            name=self.name,
            roles=self.roles,
            enabled=self.enabled,
            password=self.password is not None,
            issuer=self.issuer,
            created_at=self.created_at,
            signed_in_at=self.signed_in_at,
        )


class SessionRow(Base):
    """A browser that somebody signed in with, by the SHA-256 of the session's id."""

    __tablename__ = "sessions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(String(64), index=True)
    created_at: Mapped[str] = mapped_column(String(32))
    seen_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str] = mapped_column(String(32), index=True)


class ApiTokenRow(Base):
    """An API token by the SHA-256 of its text."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(String(64), index=True)
    permissions: Mapped[tuple[Permission, ...]] = mapped_column(Json(tuple[Permission, ...]))
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str] = mapped_column(String(32))
    used_at: Mapped[str | None] = mapped_column(String(32), default=None)

    def value(self) -> ApiToken:
        """The row as it travels."""
        return ApiToken(
            id=self.id,
            name=self.name,
            user=self.user,
            permissions=self.permissions,
            created_at=self.created_at,
            expires_at=self.expires_at,
            used_at=self.used_at,
        )


class LinkRow(Base):
    """A one-time link by the SHA-256 of its text; somebody has at most one."""

    __tablename__ = "one_time_links"

    user: Mapped[str] = mapped_column(String(64), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[str] = mapped_column(String(32))


class AttemptsRow(Base):
    """Failed attempts to sign in, under a pseudonym of an account, an address or a browser."""

    __tablename__ = "login_attempts"
    __table_args__ = (Index("ix_login_attempts_last_at", "last_at"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[str] = mapped_column(String(32))
    until: Mapped[str] = mapped_column(String(32))


def all_users(session: Session) -> Sequence[UserRow]:
    """Everybody by name."""
    return session.scalars(select(UserRow).order_by(UserRow.name)).all()


def user_named(session: Session, name: str, *, lock: bool = False) -> UserRow | None:
    """Who has this name; a text that cannot be a name is nobody's, and no database sees it."""
    if USER_NAME.fullmatch(name) is None:
        return None
    return session.get(UserRow, name, with_for_update=lock or None)


def user_of_subject(session: Session, issuer: str, subject: str) -> UserRow | None:
    """Whom an OpenID provider calls `subject`."""
    return session.scalars(select(UserRow).where(UserRow.issuer == issuer, UserRow.subject == subject)).first()


def tokens_of(session: Session, user: str | None) -> Sequence[ApiTokenRow]:
    """Somebody's API tokens, or everybody's, newest first."""
    query = select(ApiTokenRow).order_by(ApiTokenRow.created_at.desc(), ApiTokenRow.id)
    return session.scalars(query.where(ApiTokenRow.user == user) if user is not None else query).all()


def forget_tokens(session: Session, before: str) -> None:
    """Remove API tokens that ended before a moment (RFC 3339): each `lineside login` makes another."""
    session.execute(delete(ApiTokenRow).where(ApiTokenRow.expires_at < before))


def end_sessions(session: Session, user: str) -> None:
    """Sign somebody out of every browser."""
    session.execute(delete(SessionRow).where(SessionRow.user == user))


def forget_user(session: Session, row: UserRow) -> None:
    """Remove a person with everything that lets them in."""
    for table in (SessionRow, ApiTokenRow, LinkRow):
        session.execute(delete(table).where(table.user == row.name))
    session.delete(row)


def anybody_with_a_way_in(session: Session) -> bool:
    """Whether an enabled person has a password or comes from an OpenID provider."""
    has_way = UserRow.password.is_not(None) | UserRow.issuer.is_not(None)
    count = session.scalar(select(func.count()).select_from(UserRow).where(UserRow.enabled, has_way))
    return bool(count)
