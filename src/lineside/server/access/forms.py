"""What forms of people's pages have in common."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission, Role

T = TypeVar("T", Role, Permission)


class SecretForm(msgspec.Struct, frozen=True, kw_only=True):
    """A form in which people type passwords: never written out, whatever logs it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def chosen(values: tuple[str, ...] | str, kind: type[T]) -> tuple[T, ...]:
    """What was ticked. Raises `request.invalid`."""
    texts = (values,) if isinstance(values, str) else values
    try:
        return tuple(kind(text) for text in texts)
    except ValueError as error:
        raise LinesideError("request.invalid", why=error) from error


def check_same(password: str, again: str) -> None:
    """Raises `password.bad` unless the password was typed the same twice."""
    if password != again:
        raise LinesideError("password.bad", why="it was not typed the same twice")
