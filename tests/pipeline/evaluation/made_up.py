"""Made-up pictures and answers: some boxes found well, some badly, some not at all, and some that are not there."""

from __future__ import annotations

import numpy as np

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.result import Detection

CLASSES = ("scratch", "dent", "rust")
SIDE = 640


def made_up(
    count: int, seed: int = 0, *, good: float = 0.7, classes: tuple[str, ...] = CLASSES, split: Split = Split.TEST
) -> tuple[list[ImageRecord], dict[str, list[Detection]]]:
    """`count` pictures of 640 x 640 with up to five boxes each, and answers of which about `good` are right."""
    random = np.random.default_rng(seed)
    images, found = [], {}
    for number in range(count):
        boxes = [_box(random, classes) for _ in range(random.integers(0, 6))]
        digest = "sha256:" + f"{seed * 100000 + number:064x}"
        group = f"plate-{number % 4}"
        images.append(
            ImageRecord(
                digest=digest,
                file_name=f"{number}.png",
                width=SIDE,
                height=SIDE,
                group=group,
                split=split,
                boxes=tuple(boxes),
            )
        )
        found[digest] = answers(boxes, random, good, classes)
    return images, found


def answers(
    boxes: list[Box], random: np.random.Generator, good: float, classes: tuple[str, ...] = CLASSES
) -> list[Detection]:
    """What a model that is right about `good` of them finds: moved by a few pixels, with made-up confidences."""
    near = [_near(box, random, classes) for box in boxes if random.random() < good]
    wrong = [_near(_box(random, classes), random, classes) for _ in range(random.integers(0, 4))]
    return near + wrong


def _box(random: np.random.Generator, classes: tuple[str, ...]) -> Box:
    side = float(random.choice([16, 48, 120]))
    x, y = (float(value) for value in random.uniform(0, SIDE - side, 2))
    return Box(label=str(random.choice(classes)), x=x, y=y, width=side, height=side)


def _near(box: Box, random: np.random.Generator, classes: tuple[str, ...]) -> Detection:
    dx, dy = (float(value) for value in random.normal(0, 0.08 * box.width, 2))
    return Detection(
        label=box.label,
        class_index=classes.index(box.label),
        confidence=float(random.random()),
        x=box.x + dx,
        y=box.y + dy,
        width=box.width,
        height=box.height,
    )
