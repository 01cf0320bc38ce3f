"""A side's score: classes, slices, and what is too small to say anything."""

from __future__ import annotations

import msgspec
import pytest

from lineside.pipeline.evaluation.scores import side_of
from lineside.pipeline.metrics import score
from tests.pipeline.evaluation.made_up import CLASSES, made_up

FEW = 60  # drawings


def test_a_side_says_what_pycocotools_says_with_intervals() -> None:
    images, found = made_up(30, 1)
    side = side_of("test", "ds-1", images, CLASSES, found, {}, resamples=FEW)
    expected = score(images, CLASSES, found)
    assert (side.images, side.boxes) == (expected.images, expected.boxes)
    assert side.map.value == pytest.approx(expected.map, abs=1e-6)
    assert side.map50.value == pytest.approx(expected.map50, abs=1e-6)
    assert {one.label: one.map.value for one in side.classes} == pytest.approx(expected.per_class, abs=1e-6)
    for told in (side.map, side.map50, *(one.map for one in side.classes)):
        assert told.low is not None
        assert told.high is not None
        assert told.low <= told.value <= told.high


def test_slices_by_group_are_scored_on_their_own_pictures() -> None:
    images, found = made_up(24, 2)
    side = side_of("test", "ds-1", images, CLASSES, found, {}, resamples=FEW)
    groups = {one.name: one for one in side.slices if one.kind == "group"}
    assert list(groups) == ["plate-0", "plate-1", "plate-2", "plate-3"]
    expected = score([image for image in images if image.group == "plate-2"], CLASSES, found)
    assert (groups["plate-2"].images, groups["plate-2"].boxes) == (6, expected.boxes)
    assert groups["plate-2"].map.value == pytest.approx(expected.map, abs=1e-6)


def test_a_slice_where_the_model_is_worse_shows() -> None:
    """Bright pictures get no answers: their slice has no score, the others do."""
    images, found = made_up(24, 3, good=1.0)
    brightness = {image.digest: float(number) for number, image in enumerate(images)}
    answered = {image.digest: found[image.digest] if number < 16 else [] for number, image in enumerate(images)}
    side = side_of("test", "ds-1", images, CLASSES, answered, brightness, resamples=FEW)
    thirds = {one.name: one for one in side.slices if one.kind == "brightness"}
    assert [(one.name, one.images, one.low, one.high) for one in thirds.values()] == [
        ("dark", 8, 0.0, 7.0),
        ("middle", 8, 8.0, 15.0),
        ("bright", 8, 16.0, 23.0),
    ]
    assert thirds["bright"].map.value == 0
    assert thirds["dark"].map.value > 0.3


def test_sizes_count_their_own_boxes() -> None:
    images, found = made_up(24, 4)
    side = side_of("test", "ds-1", images, CLASSES, found, {}, resamples=FEW)
    sizes = {one.name: one for one in side.slices if one.kind == "size"}
    assert list(sizes) == ["small", "medium", "large"]
    assert sum(one.boxes for one in sizes.values()) == side.boxes
    assert sizes["small"].boxes == sum(box.width == 16 for image in images for box in image.boxes)


def test_nothing_to_slice_by_is_no_slice() -> None:
    images, found = made_up(5, 5)
    alone = [msgspec.structs.replace(image, group=None, boxes=()) for image in images]
    side = side_of("test", "ds-1", alone, CLASSES, found, {}, resamples=FEW)
    assert (side.slices, side.classes, side.map.value, side.map.low) == ((), (), 0.0, None)


def test_few_pictures_of_a_class_have_no_interval() -> None:
    images, found = made_up(40, 6, classes=("scratch",))
    with_dent = msgspec.structs.replace(images[0], boxes=(msgspec.structs.replace(images[3].boxes[0], label="dent"),))
    side = side_of("test", "ds-1", [with_dent, *images[1:]], CLASSES, found, {}, resamples=FEW)
    scratch, dent = side.classes
    assert (dent.label, dent.images, dent.map.low) == ("dent", 1, None)
    assert scratch.map.low is not None


def test_the_same_pictures_and_answers_give_the_same_value() -> None:
    images, found = made_up(12, 7)
    first, second = (side_of("test", "ds-1", images, CLASSES, found, {}) for _ in range(2))
    assert first == second
