"""What a candidate in the shadow of a model that decides says of itself: part of what its runtime's probe prints, and
so of the device's report."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.contract.counted import counted
from lineside.contract.reading import UNREADABLE


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

    @property
    def told(self) -> str:
        """In one sentence, for people."""
        if self.state is not ShadowState.LOOKING:
            return f"{self.state.value}. {self.why}".strip()
        share = f" ({100 * self.agreed / self.looked:.1f} %)" if self.looked else ""
        return (
            f"{self.model}:{self.version} looked at {self.looked} of {self.sampled} sampled images and agrees on "
            f"{self.agreed}{share}; it alone found {counted(self.only_new, 'object')}, and not {self.only_old} that "
            f"were decided; {counted(self.kept, 'picture')} kept, {self.cpu_seconds:.0f} s of CPU"
        )


def shadow_of(probe: Mapping[str, Any]) -> ShadowStatus | None:
    """That in what a probe said; None without one, and for what cannot be read: any program may be a component."""
    said = probe.get("shadow")
    if said is None:
        return None
    try:
        return msgspec.convert(said, ShadowStatus)
    except UNREADABLE:
        return None
