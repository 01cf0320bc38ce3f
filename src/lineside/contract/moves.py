"""State machines: an enum of states, one table of allowed moves, one pure check."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from lineside.contract.errors import LinesideError

S = TypeVar("S", bound=enum.Enum)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a state machine's history."""

    at: str
    current: str
    wanted: str
    why: str


def check_move(what: str, moves: Mapping[S, frozenset[S]], current: S, wanted: S) -> S:
    """The wanted state, if the table allows the move; else `state.illegal_move`."""
    if wanted not in moves.get(current, frozenset()):
        raise LinesideError("state.illegal_move", what=what, current=current.value, wanted=wanted.value)
    return wanted
