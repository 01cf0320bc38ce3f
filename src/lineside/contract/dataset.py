"""Datasets: an immutable set of images, boxes and a split, named by its content."""

from __future__ import annotations

import enum

import msgspec


class Split(enum.Enum):
    """What an image is for. All images of one group are on the same side."""

    TRAIN = "train"  # the trainer sees it
    VAL = "val"  # chooses checkpoints and thresholds
    TEST = "test"  # only scores; never seen while training


class LabelKind(enum.Enum):
    """Who drew a box."""

    PERSON = "person"
    MODEL = "model"
    IMPORT = "import"  # a file says so, and nobody knows more


class LabelSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a label comes from. `by` is a person's or a model's name, `version` a model's; `reviewed` once a person
    has looked at it and agreed."""

    kind: LabelKind
    by: str = ""
    version: str = ""
    reviewed: bool = False


class LabelFrom(enum.Enum):
    """Where labels come from, as images are looked for by it."""

    PERSON = "person"
    MODEL = "model"  # and a person agreed
    UNREVIEWED = "unreviewed"  # from a model, and nobody has looked
    IMPORT = "import"
    UNKNOWN = "unknown"


class Box(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One labelled object: its class and its rectangle in pixels of the original image, from the top left.

    `source` is absent where the data does not say it, and then it is no part of the version's content.
    """

    label: str
    x: float
    y: float
    width: float
    height: float
    source: LabelSource | None = None


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One image of a dataset version; `width` and `height` in pixels after EXIF rotation. `taken_at` is absent where
    nobody knows it, and then it is no part of the version's content."""

    digest: str
    file_name: str
    width: int
    height: int
    group: str | None = None
    split: Split
    boxes: tuple[Box, ...] = ()
    taken_at: str | msgspec.UnsetType = msgspec.UNSET  # RFC 3339


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A warning that was met `count` times while importing; at most five examples."""

    code: str
    message: str
    count: int
    examples: tuple[str, ...] = ()


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What `datasets list` shows. `id` is `ds-` and the first 12 hex digits of `digest`."""

    id: str
    digest: str
    name: str
    created_at: str
    format: str  # coco, voc, yolo, labelstudio, sagemaker, darknet, csv
    origin: str  # "photographs", or "rendered" for made-up pictures
    images: int
    boxes: int
    classes: tuple[str, ...]
    splits: dict[str, int]  # images by split
    groups: int
    split_by: str  # "given" by the data, "group", or "near-duplicates"
    warnings: tuple[Counted, ...] = ()


class DatasetPage(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of all dataset versions, or of those of one name, newest first."""

    versions: tuple[DatasetVersion, ...]
    offset: int
    total: int


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A folder as a list of its files by content; the bytes were sent as blobs before."""

    name: str
    files: dict[str, str]  # path relative to the folder, with "/" -> digest
    origin: str = "photographs"
    format: str | None = None  # where a folder holds labels in several: coco, voc, yolo, …


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """How many of some blobs are pictures; what each is like is remembered for the import."""

    pictures: int


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did; `created` is false when that very version was there already."""

    version: DatasetVersion
    created: bool


class ImagePage(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of a dataset version's images, in the version's own order."""

    images: tuple[ImageRecord, ...]
    offset: int
    total: int


def source_of(box: Box) -> LabelFrom:
    """Where a box comes from."""
    if box.source is None:
        return LabelFrom.UNKNOWN
    unseen = box.source.kind is LabelKind.MODEL and not box.source.reviewed
    return LabelFrom.UNREVIEWED if unseen else LabelFrom(box.source.kind.value)


def content_of(classes: tuple[str, ...], images: tuple[ImageRecord, ...]) -> dict[str, object]:
    """What names a dataset version: classes, and images with boxes, group and split, whatever order they came in."""
    ordered = sorted(images, key=lambda image: (image.digest, image.file_name))
    return {"schema": "lineside.dataset/1", "classes": classes, "images": ordered}
