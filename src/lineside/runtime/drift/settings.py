"""How drift is watched: the key `drift` of the configuration; null watches nothing."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lineside.contract.drift import MOST_WINDOWS

Minutes = Annotated[float, msgspec.Meta(gt=0, le=60)]
Windows = Annotated[int, msgspec.Meta(ge=1, le=MOST_WINDOWS)]


Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class DriftSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A window each `every_minutes`; a quantity that is far in `k` of its last `n` windows counts. Looks at pictures
    take at most `look_share` of the time that decisions take."""

    every_minutes: Minutes = 10.0
    k: Windows = 2
    n: Windows = 3
    look_share: Share = 0.005

    def __post_init__(self) -> None:
        if self.k > self.n:
            raise ValueError(f"{self.k} of {self.n} windows cannot be")
