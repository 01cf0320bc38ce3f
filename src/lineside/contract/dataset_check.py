"""What can be found out about dataset versions: problems of labels and leaks, figures, and what differs between two."""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.dataset import Box, DatasetVersion, Split
from lineside.contract.gate import Level


class JudgedSplit(enum.Enum):
    """Which split a check judges."""

    OWN = "own"  # the version's
    RANDOM = "random"  # image by image, as if nothing were known of groups: shows what that would leak


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to check."""

    split: JudgedSplit = JudgedSplit.OWN


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An image that a finding is about, and what is wrong there."""

    digest: str
    file_name: str
    detail: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem: how often it was met, in how many images, and the first of them."""

    code: str  # check.leak_group
    level: Level
    message: str
    count: int
    images: int
    examples: tuple[Example, ...]


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of a dataset version found. `blocked` when something of level BLOCK is among it: a model trained on
    this would be judged wrongly, or taught something wrong."""

    dataset: str
    split: JudgedSplit
    checked_at: str
    images: int
    boxes: int
    findings: tuple[Finding, ...]
    blocked: bool


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How many values lie from each edge up to the next; the last bin has no upper edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One class: boxes in all, and images it is in by side."""

    label: str
    boxes: int
    images: dict[str, int]


class SideFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split."""

    side: Split
    images: int
    boxes: int
    empty: int  # images without a box
    groups: int


class DatasetStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a dataset version."""

    dataset: str
    classes: tuple[ClassFigures, ...]
    sides: tuple[SideFigures, ...]
    sources: dict[str, int]  # boxes by source: person, model, unreviewed, import, unknown
    pictures: dict[str, int]  # images by size, "450x300"; the most frequent sizes
    box_sizes: Histogram  # square root of the area, in pixels
    box_shares: Histogram  # share of the image's area, in percent
    boxes_an_image: Histogram
    brightness: Histogram  # mean grey level of an image, 0..255
    groups: int
    largest_group: int  # images
    ungrouped: int


class Change(enum.Enum):
    """How an image differs between two versions. One image may differ in labels and in side."""

    ADDED = "added"
    REMOVED = "removed"
    LABELS = "labels"
    SIDE = "side"


class ImageChange(msgspec.Struct, frozen=True, kw_only=True):
    """One image that differs; `detail` says how. Its boxes before and after; none where it was or is not there."""

    change: Change
    digest: str
    file_name: str
    detail: str
    width: int
    height: int
    before: tuple[Box, ...] = ()
    after: tuple[Box, ...] = ()


class DatasetDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What became of `before` in `after`. `counts` by kind of change; `changes` are a slice of all of them."""

    before: DatasetVersion
    after: DatasetVersion
    classes_added: tuple[str, ...]
    classes_removed: tuple[str, ...]
    counts: dict[str, int]
    changes: tuple[ImageChange, ...]
    offset: int
    total: int


class FieldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Grow the field set of a dataset: from labelled versions `sources` (ids or names; the dataset itself by default),
    pictures taken since a time (RFC 3339)."""

    name: str
    sources: tuple[str, ...] = ()
    since: str | None = None


class FieldReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the field set; `left_out` counts pictures by why they are not in it."""

    version: DatasetVersion
    created: bool
    added: int
    left_out: dict[str, int]
