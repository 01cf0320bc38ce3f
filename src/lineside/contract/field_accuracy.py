"""Field accuracy: what a model finds on devices, by people's reviews of the random sample. Pure.

Only the random sample counts: what is kept because the model was unsure says how it does where it is unsure. A found
box and a labelled one of the same class are the same object when they overlap by half of their union (IoU 0.5), matched
from the most confident on. Of the objects,

    recall    = matched / labelled
    precision = matched / found
    accuracy  = 2 * matched / (labelled + found)      the harmonic mean of both, F1

Each has its 95 % interval, Wilson's; as boxes of one picture are right or wrong together, the number of boxes in it is
first divided by the design effect: what the spread from picture to picture is, to what it would be of single boxes.
Everything is sums over pictures, so those of devices add up to their groups'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lineside.contract.dataset import Box
from lineside.contract.evaluation import Estimate
from lineside.contract.rectangles import iou
from lineside.contract.result import Detection

ENOUGH_PICTURES, ENOUGH_OBJECTS = 30, 10
"""Reviewed pictures, and objects of a class labelled or found, from which a number is told."""

_IOU = 0.5
_Z = 1.959964  # 95 %


class ClassAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """One class; without numbers while too few objects of it were labelled or found."""

    label: str
    labelled: int
    found: int
    matched: int
    recall: Estimate | None = None
    precision: Estimate | None = None
    accuracy: Estimate | None = None


class FieldAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """One model version in the field: over all classes, and by class. `accuracy` is None with too few reviews."""

    model: str
    version: int
    pictures: int  # reviewed ones of the random sample
    devices: int
    enough: int = ENOUGH_PICTURES
    last_at: str = ""  # of the newest review
    accuracy: Estimate | None = None
    right: Estimate | None = None  # the share of pictures on which everything was found, and nothing else
    classes: tuple[ClassAccuracy, ...] = ()


class Sums(msgspec.Struct):
    """Sums over pictures of what was labelled (l), found (f) and matched (m), and of their products. Adds up."""

    pictures: int = 0
    labelled: int = 0
    found: int = 0
    matched: int = 0
    ll: int = 0
    ff: int = 0
    mm: int = 0
    lf: int = 0
    lm: int = 0
    fm: int = 0

    def add(self, labelled: int, found: int, matched: int) -> None:
        """One more picture."""
        one = (1, labelled, found, matched, labelled**2, found**2, matched**2)
        self.merge(Sums(*one, labelled * found, labelled * matched, found * matched))

    def merge(self, other: Sums) -> None:
        """Those of other pictures, too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def count(labels: Sequence[Box], found: Sequence[Detection]) -> dict[str, tuple[int, int, int]]:
    """What one picture comes to, by class: labelled, found, matched."""
    return {
        label: _of_class([box for box in labels if box.label == label], [one for one in found if one.label == label])
        for label in {box.label for box in labels} | {one.label for one in found}
    }


def class_accuracy(label: str, sums: Sums) -> ClassAccuracy:
    """One class of its sums."""
    counts = ClassAccuracy(label=label, labelled=sums.labelled, found=sums.found, matched=sums.matched)
    if sums.labelled + sums.found - sums.matched < ENOUGH_OBJECTS:
        return counts
    return msgspec.structs.replace(counts, recall=recall(sums), precision=precision(sums), accuracy=accuracy(sums))


def recall(sums: Sums) -> Estimate | None:
    """Of what is there, the share that was found."""
    return _ratio(sums.pictures, sums.labelled, (sums.matched, sums.labelled), (sums.mm, sums.lm, sums.ll))


def precision(sums: Sums) -> Estimate | None:
    """Of what was found, the share that is there."""
    return _ratio(sums.pictures, sums.found, (sums.matched, sums.found), (sums.mm, sums.fm, sums.ff))


def accuracy(sums: Sums) -> Estimate | None:
    """F1."""
    both = sums.ll + 2 * sums.lf + sums.ff
    squares = (4 * sums.mm, 2 * (sums.lm + sums.fm), both)
    objects = sums.labelled + sums.found - sums.matched
    return _ratio(sums.pictures, objects, (2 * sums.matched, sums.labelled + sums.found), squares)


def share(part: int, whole: int) -> Estimate | None:
    """A share of things that do not depend on one another."""
    return _wilson(part / whole, whole) if whole else None


def added(sums: Iterable[Mapping[str, Sums]]) -> dict[str, Sums]:
    """By class, of several."""
    total: dict[str, Sums] = {}
    for one in sums:
        for label, some in one.items():
            total.setdefault(label, Sums()).merge(some)
    return total


def _ratio(pictures: int, objects: int, ab: tuple[int, int], squares: tuple[int, int, int]) -> Estimate | None:
    """The ratio of two sums over pictures, a/b; `squares` are the sums of a*a, a*b and b*b."""
    a, b = ab
    if not b:
        return None
    value, (aa, ab_, bb) = a / b, squares
    spread = max(0.0, aa - 2 * value * ab_ + value * value * bb)
    if pictures < 2 or not spread or not 0 < value < 1:
        return _wilson(value, objects)
    variance = spread * pictures / (pictures - 1) / (b * b)
    return _wilson(value, min(float(objects), value * (1 - value) / variance))


def _wilson(value: float, number: float) -> Estimate:
    z2 = _Z * _Z / number
    middle = (value + z2 / 2) / (1 + z2)
    half = math.sqrt(value * (1 - value) * z2 + z2 * z2 / 4) / (1 + z2)
    return Estimate(value=value, low=max(0.0, middle - half), high=min(1.0, middle + half))


def _of_class(labels: list[Box], found: list[Detection]) -> tuple[int, int, int]:
    left, matched = list(labels), 0
    for one in sorted(found, key=lambda one: -one.confidence):
        best = max(left, key=lambda box: iou(box, one), default=None)
        if best is not None and iou(best, one) >= _IOU:
            left.remove(best)
            matched += 1
    return len(labels), len(found), matched
