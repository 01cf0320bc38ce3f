"""What a shadow says of itself. Imports neither numpy nor an engine: the status file is read with it."""

from __future__ import annotations

import enum

import msgspec


class ShadowState(enum.Enum):
    """How a shadow is."""

    LOADING = "loading"
    LOOKING = "looking"
    OFF = "off"  # it could not be loaded, or broke; decisions go on


class ShadowStatus(msgspec.Struct, kw_only=True):
    """What a shadow is and has seen: `sampled` = `looked` + `passed` + `failed` + what is being looked at."""

    state: ShadowState = ShadowState.LOADING
    why: str = ""
    model: str = ""
    version: int = 0
    digest: str = ""
    sampled: int = 0
    looked: int = 0
    passed: int = 0  # it was busy, or its share of the CPU was used up
    failed: int = 0  # on which the candidate itself failed
    agreed: int = 0  # of the frames it looked at
    only_new: int = 0  # objects that only the candidate found, as `compare.agreement` counts
    only_old: int = 0
    kept: int = 0
    cpu_seconds: float = 0.0
