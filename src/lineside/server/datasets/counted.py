"""Counted warnings: what was wrong with single images and boxes, how often, with examples.

Add a row to `MEANINGS` to add a warning; docs/datasets.md shows the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lineside.contract.dataset import Counted

_EXAMPLES = 5
_NAMED = 3


@dataclass(frozen=True)
class Meaning:
    """What a warning says; `harms` when the image it is about lost a label or was left out."""

    message: str
    harms: bool = False


MEANINGS: dict[str, Meaning] = {
    "dataset.image_unreadable": Meaning("The file is no image that can be decoded; it was left out.", harms=True),
    "dataset.image_missing": Meaning("The annotations name an image that is not there; it was left out.", harms=True),
    "dataset.image_path_refused": Meaning(
        "The annotations name an image by a path outside the folder or one far too long; it was left out.", harms=True
    ),
    "dataset.size_differs": Meaning(
        "The image has another size than its annotations say; it was left out, its boxes would be wrong.", harms=True
    ),
    "dataset.label_unreadable": Meaning("The image's own label file cannot be read; it was left out.", harms=True),
    "dataset.class_unknown": Meaning("A box has a class that is not declared; the box was dropped.", harms=True),
    "dataset.box_invalid": Meaning("A box is not four finite numbers; it was dropped.", harms=True),
    "dataset.box_empty": Meaning("A box has no area; it was dropped.", harms=True),
    "dataset.box_outside": Meaning("A box lies outside its image; it was dropped.", harms=True),
    "dataset.annotation_orphan": Meaning("An annotation belongs to no listed image; it was dropped.", harms=True),
    "dataset.box_clipped": Meaning("A box reached over the edge of its image; it was clipped."),
    "dataset.box_rotated": Meaning("A box is rotated, and boxes here are upright; it was dropped.", harms=True),
    "dataset.label_not_box": Meaning("A label is no box (a polygon, a choice, a text); it was dropped."),
    "dataset.other_labels": Meaning("An image was labelled more than once; the other labels were not read."),
    "dataset.image_pending": Meaning("Nobody has labelled the image yet; it was left out."),
    "dataset.box_crowd": Meaning("A box marks a crowd (iscrowd), not one object; it was dropped."),
    "dataset.image_unlisted": Meaning("An image of the folder is in no annotation; it was left out."),
    "dataset.image_unlabelled": Meaning("An image has no label file; it counts as showing nothing."),
    "dataset.same_picture": Meaning("The same picture is there under two names."),
    "dataset.other_format": Meaning("The folder holds labels in a second format, too; they were not read."),
    "dataset.split_unknown": Meaning("A split is none of train, val and test; it was not used."),
    "dataset.split_partial": Meaning("Only some images say their split; a new split was made."),
    "dataset.split_empty": Meaning("A side of the split has no image."),
    "dataset.group_partial": Meaning("Only some images say their group; near-duplicates were looked for instead."),
    "dataset.group_divided": Meaning("The data's own split puts one group on two sides: scores will be too good."),
    "dataset.picture_divided": Meaning("The data's own split puts one picture on two sides: scores will be too good."),
    "dataset.near_duplicate_divided": Meaning(
        "The data's own split puts near-duplicates on two sides: scores may be too good."
    ),
    "dataset.images_alike": Meaning("The images look so much alike that near-duplicates were judged more strictly."),
    "dataset.side_kept": Meaning(
        "The data puts an image on another side than earlier versions of this dataset did; it stayed where it was."
    ),
    "dataset.sides_meet": Meaning(
        "Images that belong together were put on different sides before; each stayed where it was."
    ),
    "dataset.groups_few": Meaning("There are fewer than three groups of images; not every side of the split has one."),
    "dataset.group_unsaid": Meaning("The format has no word for an image's group; it was not written."),
    "dataset.source_unsaid": Meaning("The format has no word for who labelled; it was not written."),
    "dataset.time_unsaid": Meaning("The format has no word for when an image was taken; it was not written."),
    "dataset.name_unsaid": Meaning(
        "The format cannot write this name; what has it was left out, or the name was changed."
    ),
    "dataset.name_changed": Meaning("The format wants images in folders of its own; it was given another path."),
    "dataset.box_unsaid": Meaning("The format cannot write a box of one pixel or less, or its class; it was left out."),
}


def some_of(names: Sequence[str]) -> str:
    """The first of some images' names, and how many more there are: `a.png, b.png, c.png and 4 more`."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass
class Warnings:
    """Collects warnings while a folder is read; `harmed` names the images that lost something."""

    harmed: set[str] = field(default_factory=set)
    _examples: dict[str, list[str]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, example: str, image: str | None = None) -> None:
        """Count one; `image` when the example is not the image itself."""
        meaning = MEANINGS[code]
        self._counts[code] = self._counts.get(code, 0) + 1
        examples = self._examples.setdefault(code, [])
        if len(examples) < _EXAMPLES:
            examples.append(example)
        if meaning.harms:
            self.harmed.add(example if image is None else image)

    def counted(self) -> tuple[Counted, ...]:
        """The warnings by code."""
        return tuple(
            Counted(code=code, message=MEANINGS[code].message, count=count, examples=tuple(self._examples[code]))
            for code, count in sorted(self._counts.items())
        )

    def reasons(self) -> str:
        """What harmed images, shortly: `12 dataset.image_missing, 3 dataset.box_empty`."""
        harming = [(count, code) for code, count in self._counts.items() if MEANINGS[code].harms]
        return ", ".join(f"{count} {code}" for count, code in sorted(harming, reverse=True))
