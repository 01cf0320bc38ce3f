"""How a collection is spread: evenly, and what one device does not give is asked of the others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Part:
    """One device's part: how many it is asked for, and how many it has, by its own word or because they came. `there`:
    it can be asked for more; `lost`: it keeps no more."""

    asked: int
    have: int
    there: bool = False
    lost: bool = False


def spread(count: int, devices: Sequence[str], seed: str) -> dict[str, int]:
    """`count` images over devices, as evenly as can be; where there are more devices than images, some by chance."""
    chosen = sorted(devices)
    random.Random(seed).shuffle(chosen)
    chosen = chosen[:count]
    return {name: count // len(chosen) + (index < count % len(chosen)) for index, name in enumerate(chosen)}


def shared(parts: Mapping[str, Part]) -> dict[str, int]:
    """How many devices are asked for from now on, where that changes; in all they are asked for as many as before.

    What lost ones do not have goes to those that are there, evenly; it stays where it is while nobody is there. Who has
    more than it was asked for, because it was not heard while others were asked, gives the rest for them: they are
    asked for less, but for no less than they have.
    """
    there = {name: part for name, part in parts.items() if part.there and not part.lost}
    lost = {name: part for name, part in parts.items() if part.lost and part.asked > part.have} if there else {}
    freed = sum(part.asked - part.have for part in lost.values())
    open_ = {name: max(0, part.asked - part.have) for name, part in there.items()}
    late = {name: part.have - part.asked for name, part in parts.items() if part.have > part.asked}
    found = {name: part.have for name, part in lost.items()}
    left = taken = min(sum(late.values()), freed + sum(open_.values()))
    for name in sorted(late):
        found[name] = parts[name].asked + min(left, late[name])
        left -= min(left, late[name])
    asked = {name: found.get(name, part.asked) for name, part in there.items()}
    found |= _more(freed - taken, asked) if taken <= freed else _less(taken - freed, asked, open_)
    return {name: count for name, count in found.items() if count != parts[name].asked}


def silent_since(begun: datetime, until: datetime, now: datetime, patience: timedelta) -> datetime:
    """Who was last heard of before this is waited for no longer: a quarter of the collection's time has passed since,
    or half of what was left of it then; and `patience` in any case."""
    return min(now - patience, max(now - (until - begun) / 4, now - (until - now)))


def gone_since(begun: datetime, until: datetime, now: datetime, patience: timedelta) -> datetime:
    """Who was last heard of before this is not counted on even for what it has kept: half of the collection's time has
    passed since, or three quarters of what was left of it then; and twice `patience` in any case."""
    return min(now - 2 * patience, max(now - (until - begun) / 2, now - 3 * (until - now)))


def _more(count: int, asked: Mapping[str, int]) -> dict[str, int]:
    """`count` images more, of all of them, evenly."""
    names = sorted(asked, key=lambda name: (asked[name], name))
    return {name: asked[name] + count // len(names) + (index < count % len(names)) for index, name in enumerate(names)}


def _less(count: int, asked: Mapping[str, int], open_: Mapping[str, int]) -> dict[str, int]:
    """`count` images less, of what is open at each."""
    names = sorted(open_, key=lambda name: (open_[name], name))
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        less = min(open_[name], -(-count // (len(names) - index)))
        found[name], count = asked[name] - less, count - less
    return found
