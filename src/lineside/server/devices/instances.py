"""Cloned disks: whether two agents use one identity, told from what each says before it gets a token. Pure.

An agent counts its token requests: before each it writes the next number and a new random nonce to its disk, with the
nonces of those earlier requests whose answer it never saw (they may still be on their way). Only one agent has that
disk, so for a device that is alone numbers grow. A copy of the disk goes on from where it was copied: sooner or later
one of the two says a number that the other has used, or passed.

    higher number                        the device itself; this is remembered
    the same number, the same nonce      the device itself, whose disk took no new number
    a nonce among `earlier`              the device itself: a request that was overtaken by a newer one
    anything else                        two agents
"""

from __future__ import annotations

import enum

import msgspec


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What an assertion says; `nonce` and `earlier` are 8 to 64 characters each."""

    count: int
    nonce: str
    earlier: tuple[str, ...] = ()


class Verdict(enum.Enum):
    """What an assertion's count means."""

    NEWER = "newer"  # remember it
    SAME = "same"  # nothing new
    LATE = "late"  # it was overtaken; whoever sent it waits no longer
    CLONED = "cloned"


def judge(seen: Count | None, said: Count) -> Verdict:
    """What `said` means to a control plane that has last remembered `seen`."""
    if seen is None or said.count > seen.count:
        return Verdict.NEWER
    if said.count == seen.count and said.nonce == seen.nonce:
        return Verdict.SAME
    if said.count < seen.count and said.nonce in seen.earlier:
        return Verdict.LATE
    return Verdict.CLONED
