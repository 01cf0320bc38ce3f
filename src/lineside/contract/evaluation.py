"""Evaluations: how good a model file is on labelled pictures, by class and by slice, and against the champion.

Every number that pictures decide is an `Estimate`: the value on all of them, and where it would lie in 95 of 100 draws
of as many pictures from them (bootstrap over pictures, with a fixed seed). Average precisions are those of COCO.
"""

from __future__ import annotations

import msgspec

from lineside.contract.dataset import Box
from lineside.contract.result import Detection

EVALUATION_SCHEMA = "lineside.evaluation/1"

EVERYTHING = "all"
"""As a split: every picture of a dataset version, whatever its side."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval; `low` and `high` are None when too few pictures say anything about it."""

    value: float
    low: float | None = None
    high: float | None = None


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """One class: its average precision over IoU 0.5..0.95, how many boxes it has, and on how many pictures."""

    label: str
    map: Estimate
    images: int
    boxes: int


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the pictures (or, for `size`, of the boxes) with its own score.

    `kind` group: pictures of one group; brightness: a third of the pictures by mean luma 0..255, from `low` to `high`;
    size: boxes whose area is between `low` and `high` square pixels once the picture's longer side has 640 pixels.
    """

    kind: str  # group, brightness, size
    name: str  # the group, or dark, middle, bright, or small, medium, large
    images: int
    boxes: int
    map50: Estimate
    map: Estimate
    low: float | None = None
    high: float | None = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The score on one set of pictures: the frozen test side, the field set, or whatever was asked for.

    `left_out` counts pictures of the set that the model was trained on; they are not scored.
    """

    name: str  # test, field, or the split that was asked for
    dataset: str
    images: int
    boxes: int
    map50: Estimate
    map: Estimate
    classes: tuple[ClassScore, ...] = ()
    slices: tuple[Slice, ...] = ()
    left_out: int = 0


class ThresholdPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen at one score threshold: a box is found at IoU 0.5 or more; `cost` in false alarms."""

    threshold: float
    missed: int
    false_alarms: int
    cost: float


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The score threshold that ships, and what it costs on the val pictures, beside others on the way."""

    value: float
    missed_cost: float  # a missed object costs as much as so many false alarms
    chosen: ThresholdPoint
    before: ThresholdPoint  # at the threshold that would ship without a choice
    images: int
    boxes: int
    curve: tuple[ThresholdPoint, ...] = ()


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A picture with what is wrong there at the threshold that ships: boxes nobody found, detections of nothing."""

    image: str  # digest
    file_name: str
    width: int  # pixels after EXIF rotation, the frame of every box
    height: int
    truth: tuple[Box, ...]
    detections: tuple[Detection, ...]
    missed: tuple[int, ...] = ()  # places in `truth`
    false_alarms: tuple[int, ...] = ()  # places in `detections`
    reason: str = ""


class ClassDelta(msgspec.Struct, frozen=True, kw_only=True):
    """One class, candidate against champion; `difference` is candidate minus champion, on the same pictures."""

    label: str
    candidate: float
    champion: float
    difference: Estimate
    images: int  # with such a box


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """A picture where one of the two is right and the other is not, each at the threshold it ships with."""

    image: str  # digest
    file_name: str
    width: int
    height: int
    truth: tuple[Box, ...]
    candidate: tuple[Detection, ...]
    champion: tuple[Detection, ...]
    reason: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate against champion on the same pictures, over the classes that both know."""

    champion: str  # name:version
    digest: str  # of the champion's file
    side: str  # of the evaluation
    images: int
    candidate_map: float
    champion_map: float
    map: Estimate  # candidate minus champion
    map50: Estimate
    classes: tuple[ClassDelta, ...] = ()
    only_candidate: tuple[str, ...] = ()  # classes that one of them does not know
    only_champion: tuple[str, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The blob that `ModelVersion.evaluation` names. The same file on the same pictures gives the same bytes."""

    schema: str = EVALUATION_SCHEMA
    model: str  # digest of the file that was scored
    labels: tuple[str, ...]
    sides: tuple[Side, ...]
    threshold: Threshold | None = None  # None: there is no box on val pictures, or nobody asked
    no_threshold: str | msgspec.UnsetType = msgspec.UNSET  # why none was chosen, though it was said what a miss costs
    missed: tuple[Mistake, ...] = ()  # the worst pictures by missed boxes, on the first side
    false_alarms: tuple[Mistake, ...] = ()  # and by detections of nothing, the most confident first
    comparisons: tuple[Comparison, ...] = ()  # one a side; none without a champion
    resamples: int

    def side(self, name: str) -> Side | None:
        """The score on the side of this name."""
        return next((side for side in self.sides if side.name == name), None)

    def compared(self, side: str) -> Comparison | None:
        """The comparison on the side of this name."""
        return next((one for one in self.comparisons if one.side == side), None)


class EvaluateModel(msgspec.Struct, frozen=True, kw_only=True):
    """Score a registered version on a dataset version: on one of its splits, or on `all` of it."""

    dataset: str
    split: str = "test"


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the main numbers, and the digest of the whole `Evaluation`."""

    model: str  # name:version
    digest: str  # of the file that was scored
    dataset: str
    split: str
    images: int
    boxes: int
    map50: float
    map: float
    per_class: dict[str, float]
    seen: int  # pictures that the model was trained or chosen on: their score says nothing
    evaluation: str
    run: str
    score: Evaluation
