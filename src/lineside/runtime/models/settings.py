"""What configuration says of models."""

from __future__ import annotations

import msgspec

from lineside.runtime.engines.options import EngineOptions
from lineside.runtime.threads import Threads


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One of `models`: the folder of its component, and how it is run (see `EngineOptions`)."""

    folder: str = ""  # empty: the one of `--model`
    threads: Threads = 0  # 0: the cores this process may use; several models share them
    spinning: bool = False
    arena: bool = True
    providers: tuple[str, ...] = ()

    @property
    def options(self) -> EngineOptions:
        """What the engine is told."""
        return EngineOptions(spinning=self.spinning, arena=self.arena, providers=self.providers)


class ShadowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`shadow`: the folder of a candidate that looks at a sample of frames and never decides. `share`: of all frames;
    `cpu`: of one core, on average; `per_hour`: pictures on which it disagrees that are kept as captures."""

    model: str
    share: float = 0.1
    cpu: float = 0.2
    per_hour: float = 20.0
