"""Splits: what shows the same thing is on one side, the same way each time."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from lineside.contract.dataset import Split
from lineside.server.datasets.pictures.near_duplicates import groups, pairs
from lineside.server.datasets.pictures.patches import patch
from lineside.server.datasets.splitting import assign

Make = Callable[[str], Any]


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.integers(1, 50), min_size=3, max_size=60))
@settings(max_examples=200, deadline=None)
def test_with_three_groups_or_more_no_side_is_empty(sizes: Mapping[str, int]) -> None:
    sides = assign(sizes)
    assert set(sides.values()) == set(Split)
    assert sides == assign(dict(reversed(sizes.items())))


def test_shares_are_about_70_15_15() -> None:
    images: Counter[Split] = Counter()
    for name, side in assign(sizes := {f"tag {n}": 3 + n % 5 for n in range(60)}).items():
        images[side] += sizes[name]
    total = sum(images.values())
    assert images[Split.TRAIN] / total == pytest.approx(0.70, abs=0.03)
    assert images[Split.TEST] / total == pytest.approx(0.15, abs=0.03)


def by_group(folder: Any, make: Make, group_of: Callable[[int], Any], **fields: Any) -> None:
    images = make("listed")(24, **fields)
    for image in images:
        folder.files[image["file_name"]] = make("picture")(image["id"])
        image["group"] = group_of(image["id"])
    folder.files["a.json"] = make("coco")(images, [])


def test_without_a_split_groups_stay_together(folder: Any, make: Make) -> None:
    by_group(folder, make, lambda n: n // 4)
    version = folder()
    assert (version.split_by, version.groups) == ("group", 6)
    assert min(version.splits.values()) > 0
    sides = defaultdict(set)
    for image in folder.images:
        sides[image.group].add(image.split)
    assert all(len(found) == 1 for found in sides.values())


def test_groups_that_share_a_picture_stay_together(folder: Any, make: Make) -> None:
    by_group(folder, make, lambda n: n // 4)
    folder.files["4.png"] = folder.files["0.png"]  # one picture in group 0 and in group 1
    folder()
    assert folder.warned() == {"dataset.same_picture": 1}
    assert len({image.split for image in folder.images if image.group in ("0", "1")}) == 1


def test_a_split_only_some_images_have_is_not_used(folder: Any, make: Make) -> None:
    by_group(folder, make, lambda n: n // 4)
    content = json.loads(folder.files["a.json"])
    content["images"][0]["split"] = "train"
    content["images"][1]["split"] = "somewhere"
    folder.files["a.json"] = json.dumps(content).encode()
    assert folder().split_by == "group"
    assert folder.warned() == {"dataset.split_partial": 1, "dataset.split_unknown": 1}


def test_leaks_of_a_given_split_are_reported(folder: Any, make: Make) -> None:
    by_group(folder, make, lambda n: n // 4)
    content = json.loads(folder.files["a.json"])
    for image in content["images"]:
        image["split"] = "train" if image["id"] % 4 else "test"
    folder.files["a.json"] = json.dumps(content).encode()
    assert folder().split_by == "given"
    assert folder.warned() == {"dataset.group_divided": 6, "dataset.split_empty": 1}


def photographed(image: Image.Image, shift: int, light: float) -> bytes:
    """The same surface again: shifted, lit differently, compressed."""
    moved = ImageEnhance.Brightness(image.crop((20 + shift, 20 + shift // 2, 440 + shift, 300 + shift // 2))).enhance(
        light
    )
    stream = io.BytesIO()
    moved.save(stream, "JPEG", quality=80)
    return stream.getvalue()


def test_photographs_of_one_thing_stay_together(folder: Any, make: Make) -> None:
    images = []
    for thing in range(6):
        surface = make("surface")(thing, 480, 330)
        for shot, (shift, light) in enumerate(((0, 1.0), (12, 0.7), (-14, 1.2))):
            name = f"{shot}-{thing}.jpg"
            folder.files[name] = photographed(surface, shift, light)
            images.append({"id": len(images), "file_name": name})
    folder.files["a.json"] = make("coco")(images, [])
    version = folder()
    assert (version.split_by, version.groups, version.warnings) == ("near-duplicates", 6, ())
    sides = defaultdict(set)
    for image in folder.images:
        sides[image.file_name.split("-")[1]].add((image.split, image.group))
    assert all(len(found) == 1 for found in sides.values())


def test_images_that_are_all_alike_are_judged_more_strictly(folder: Any, make: Make) -> None:
    scene, images = make("surface")(1, 480, 330), []
    for n in range(12):
        own = make("surface")(100 + n, 480, 330)
        folder.files[f"{n}.jpg"] = photographed(Image.blend(scene, own, 0.45), 0, 1.0)
        images.append({"id": n, "file_name": f"{n}.jpg"})
    folder.files["a.json"] = make("coco")(images, [])
    version = folder()
    assert folder.warned() == {"dataset.images_alike": 1}
    assert min(version.splits.values()) > 0


def test_few_groups_are_said(folder: Any, make: Make) -> None:
    by_group(folder, make, lambda n: n // 12)
    folder()
    assert folder.warned() == {"dataset.groups_few": 1, "dataset.split_empty": 1}


def test_blank_pictures_are_no_near_duplicates() -> None:
    blank = [patch(Image.new("L", (90, 60), level)) for level in (0, 128, 255)]
    assert pairs(blank) == []
    assert groups(3, []) == [0, 1, 2]


def test_sixteen_bit_pictures_are_compared() -> None:
    values = (np.random.default_rng(1).random((60, 90)) * 60000).astype(np.uint16)
    assert len(pairs([patch(Image.fromarray(values)), patch(Image.fromarray(values // 2))])) == 1


def adjusted_rand(one: list[Any], other: list[Any]) -> float:
    """Hubert and Arabie, Comparing Partitions, 1985: 1 is the same grouping, 0 is chance."""
    both = sum(comb(n, 2) for n in Counter(zip(one, other, strict=True)).values())
    a, b = (sum(comb(n, 2) for n in Counter(labels).values()) for labels in (one, other))
    chance = a * b / comb(len(one), 2)
    return (both - chance) / ((a + b) / 2 - chance)


@pytest.mark.real_data
def test_real_tags_are_told_apart_without_their_groups(folder: Any, metal_tags: Path) -> None:
    content = json.loads((metal_tags / "annotations.json").read_bytes())
    tags = {f"images/{image['file_name']}": image.pop("group") for image in content["images"]}
    for image in content["images"]:
        del image["split"]
    folder.files = {path: (metal_tags / path).read_bytes() for path in tags}
    folder.files["annotations.json"] = json.dumps(content).encode()
    assert folder().split_by == "near-duplicates"
    found = [image.group for image in folder.images]
    assert adjusted_rand([tags[image.file_name] for image in folder.images], found) >= 0.95
    sides = defaultdict(set)
    for image in folder.images:
        sides[tags[image.file_name]].add(image.split)
    assert [tag for tag, found_sides in sides.items() if len(found_sides) > 1] == []
    assert min(folder.version.splits.values()) >= 10


@pytest.mark.real_data
def test_real_tags_with_their_own_split(folder: Any, metal_tags: Path) -> None:
    for file in metal_tags.rglob("*"):
        if file.is_file():
            folder.files[file.relative_to(metal_tags).as_posix()] = file.read_bytes()
    version = folder()
    assert (version.images, version.boxes, version.groups, version.classes) == (176, 345, 20, ("scratch",))
    assert version.splits == {"train": 104, "val": 30, "test": 42}
    assert folder.warned() == {"dataset.image_unlisted": 14, "dataset.other_format": 1}  # labels.csv
