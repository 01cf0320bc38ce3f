"""What gates judge, and what a rule answers."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from lineside.contract.evaluation import Evaluation
from lineside.contract.gate import GateSpec
from lineside.contract.model import Metrics, Variant
from lineside.contract.twin import Profile
from lineside.pipeline.parameters import Limits


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules judge: the variants with their metrics, exactly one of them chosen; how it was evaluated.

    `gates` are those a run asked for; `limits` what it said in its parameters for rules it did not ask for otherwise.
    `champion` (name:version) is what it must be held against, whether or not anything can be compared.
    """

    variants: tuple[Variant, ...]
    limits: Limits
    gates: tuple[GateSpec, ...] = ()
    targets: tuple[Profile, ...] = ()
    evaluation: Evaluation | None = None
    champion: str | None = None

    @property
    def chosen(self) -> Variant:
        """What ships."""
        return next(variant for variant in self.variants if variant.chosen)

    def on(self, variant: str, split: str) -> Metrics | None:
        """Metrics of a variant on a split, if both are there."""
        found = next((known for known in self.variants if known.name == variant), None)
        return None if found is None else found.metrics.get(split)


@dataclass(frozen=True)
class Judged:
    """A rule's answer before it has a name. `about` is the class or target it is about, if it is about one; `level`
    replaces the gate's, where the rule is in doubt."""

    passed: bool
    value: float
    limit: float
    sentence: str
    about: str = ""
    level: str = ""
