"""Passwords: argon2id hashes (RFC 9106).

Making and checking one takes time and memory on purpose, so it happens outside of transactions, a few at once, and it
takes as long for a name that nobody has as for one that somebody has.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lineside.contract.errors import LinesideError
from lineside.contract.people import MAX_PASSWORD, MIN_PASSWORD
from lineside.server.settings import Settings

_AT_ONCE = 4
_WAIT = 2.0  # seconds until an attempt to sign in is turned away rather than kept waiting for its turn


class Passwords:
    """Hashes and checks passwords. Safe to use from several threads; must not be called inside a transaction."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_rounds,
            memory_cost=settings.password_memory_kib,
            parallelism=settings.password_lanes,
        )
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """The password as it is stored. Raises `login.busy`."""
        with self._turn():
            return self._hasher.hash(_normal(password))

    def check(self, stored: str | None, password: str) -> bool:
        """Whether this is the password; without a stored one always False, after the same work. Raises `login.busy`."""
        if len(password) > MAX_PASSWORD:
            password = ""  # as much work as any other wrong one
        with self._turn():
            try:
                self._hasher.verify(stored or self._hash_of_nobody(), _normal(password))
            except (VerificationError, InvalidHashError):
                return False
            return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was made with other parameters than those that are set now."""
        return self._hasher.check_needs_rehash(stored)

    def _hash_of_nobody(self) -> str:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(secrets.token_urlsafe(32))
        return self._nobodys

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_WAIT):
            raise LinesideError("login.busy")
        try:
            yield
        finally:
            self._turns.release()


def check_new(user: str, password: str) -> None:
    """Raises `password.bad` unless somebody may choose this password: long enough, and not the name."""
    length = len(_normal(password))
    if length < MIN_PASSWORD:
        raise LinesideError("password.bad", why=f"it has fewer than {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise LinesideError("password.bad", why=f"it has more than {MAX_PASSWORD} characters")
    if _normal(password).casefold() == user.casefold():
        raise LinesideError("password.bad", why="it is the name")


def _normal(password: str) -> str:
    """One form for the same characters: keyboards differ in how they compose an accent (NFC, as RFC 8265 wants)."""
    return unicodedata.normalize("NFC", password.encode("utf-8", "replace").decode())
