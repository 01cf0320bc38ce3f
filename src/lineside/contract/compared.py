"""Two model versions side by side: what differs in scores, gates, files and origin, and on the same pictures.

Differences are always `b` minus `a`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.dataset import Box
from lineside.contract.evaluation import Estimate
from lineside.contract.model import GateResult, ModelVersion, Variant
from lineside.contract.result import Detection


class ScorePair(msgspec.Struct, frozen=True, kw_only=True):
    """One score of both on one set of pictures: `side` test, val or field, `metric` map (mAP50-95) or map50."""

    side: str
    metric: str
    a: Estimate | None
    b: Estimate | None
    difference: Estimate | None  # None when one of them was not scored there, or on other pictures


class ClassPair(msgspec.Struct, frozen=True, kw_only=True):
    """mAP50-95 of one class on the test pictures. With an interval when both were scored in one evaluation."""

    label: str
    a: Estimate | None
    b: Estimate | None
    difference: Estimate | None

    @property
    def certain(self) -> bool:
        """Whether the difference is more than chance: its interval does not hold 0."""
        one = self.difference
        return one is not None and one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)


class GatePair(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate said about each; None where it did not judge."""

    name: str
    a: GateResult | None
    b: GateResult | None


class VariantPair(msgspec.Struct, frozen=True, kw_only=True):
    """The variant of one name in each; None where there is none."""

    name: str
    a: Variant | None
    b: Variant | None


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """Something both were made or are read with that is not the same; None where one of them has no such thing."""

    name: str
    a: Any
    b: Any


class CurvePair(msgspec.Struct, frozen=True, kw_only=True):
    """One training curve of both: epochs with their values."""

    series: str
    a: tuple[tuple[int, float], ...]
    b: tuple[tuple[int, float], ...]


class PicturePair(msgspec.Struct, frozen=True, kw_only=True):
    """One test picture with what each found there, at the threshold it ships with."""

    image: str  # digest
    file_name: str
    width: int  # pixels after EXIF rotation, the frame of every box
    height: int
    truth: tuple[Box, ...]
    a: tuple[Detection, ...]
    b: tuple[Detection, ...]
    reason: str = ""


class ModelsCompared(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions side by side. `same_test`: both were scored on the test pictures of one dataset version."""

    a: ModelVersion
    b: ModelVersion
    same_test: bool
    scores: tuple[ScorePair, ...] = ()
    classes: tuple[ClassPair, ...] = ()
    gates: tuple[GatePair, ...] = ()
    variants: tuple[VariantPair, ...] = ()
    differing: tuple[Differing, ...] = ()
    curves: tuple[CurvePair, ...] = ()
    pictures: tuple[PicturePair, ...] = ()
