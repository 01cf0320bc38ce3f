"""Thinning: which of the captures that wait make room when the store is full. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A capture that waits, as far as its record is read for this."""

    id: str
    strategy: str
    captured_at: str
    request: str = ""


def rule(keep_every: int) -> str:
    """The rule in a sentence."""
    if keep_every < 2:
        return "When the store is full, what comes is refused."
    nth = {2: "2nd", 3: "3rd"}.get(keep_every, f"{keep_every}th")
    return f"When the store is full, every {nth} capture of each strategy stays, by time; requested ones all stay."


def to_drop(waiting: Sequence[Waiting], keep_every: int) -> list[Waiting]:
    """All but every nth of each strategy, by time. What somebody asked for is never among them. Of a random sample, a
    random sample stays: nothing but its place in time decides."""
    if keep_every < 2:
        return []
    places: dict[str, int] = {}
    gone = []
    for one in sorted(waiting, key=lambda one: (one.captured_at, one.id)):
        if one.request or one.strategy == "requested":
            continue
        place = places.get(one.strategy, 0)
        places[one.strategy] = place + 1
        if place % keep_every:
            gone.append(one)
    return gone
