"""Rendered tags: labelled, split by plate, the same bytes for the same seed."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from lineside.pipeline.render import plate, render


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("tags")
    render(out, count=14, seed=3, groups=7)
    return out


def test_the_same_seed_makes_the_same_bytes(folder, tmp_path):
    render(tmp_path / "again", count=14, seed=3, groups=7)
    assert digests(folder) == digests(tmp_path / "again")


def test_every_plate_is_on_one_side_and_every_side_has_plates(folder):
    images = json.loads((folder / "annotations.json").read_text())["images"]
    sides = {image["group"]: set() for image in images}
    for image in images:
        sides[image["group"]].add(image["split"])
    assert all(len(splits) == 1 for splits in sides.values())
    assert set.union(*sides.values()) == {"train", "val", "test"}


def test_boxes_hold_what_stands_out(folder):
    document = json.loads((folder / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in document["images"]}
    for annotation in document["annotations"]:
        x, y, width, height = annotation["bbox"]
        picture = np.asarray(Image.open(folder / "images" / names[annotation["image_id"]]).convert("L"), dtype=float)
        inside = picture[int(y) : int(y + height) + 1, int(x) : int(x + width) + 1]
        around = np.median(picture)
        assert np.abs(inside - around).max() > 30


def test_it_says_that_it_is_rendered_and_brings_an_inbox(folder):
    assert json.loads((folder / "annotations.json").read_text())["info"]["origin"] == "rendered"
    inbox = list((folder / "inbox").iterdir())
    assert any(".jpg_" in path.name for path in inbox)
    assert any("unreadable" in path.name for path in inbox)


def test_a_changed_day_is_darker_and_has_marks_of_another_kind(folder, tmp_path):
    changed = tmp_path / "changed"
    render(changed, count=8, seed=3, groups=4, light=0.6, zigzag=1.0)
    assert _brightness(changed) < 0.75 * _brightness(folder)
    rng = np.random.default_rng(1)
    turns = {sum(_turns(mark) for mark in plate(rng, good=False, zigzag=1.0).scratches) > 0 for _ in range(3)}
    assert turns == {True}
    assert not any(_turns(mark) for _ in range(3) for mark in plate(rng, good=False).scratches)


def _brightness(folder):
    pictures = sorted((folder / "images").iterdir())
    return np.mean([np.asarray(Image.open(path).convert("L")).mean() for path in pictures])


def _turns(mark):
    """How often a mark changes from going up to going down."""
    steps = np.diff([y for _, y in mark.points])
    return int((steps[1:] * steps[:-1] < 0).sum())


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
