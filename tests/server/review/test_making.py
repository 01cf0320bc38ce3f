"""Reviewed captures make the next dataset version: provenance, the field set first, nothing twice, no leaks."""

from __future__ import annotations

from typing import Any

import pytest

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.review import MakeDataset, ReviewRule
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters
from lineside.server.review.making import Making
from lineside.server.review.rules import Rules
from tests.server.datasets.conftest import png, surface
from tests.server.review.world import World, being, box

pytestmark = pytest.mark.sqlite_only  # datasets and reviews are tested on both elsewhere


@pytest.fixture
def making(world: World) -> Making:
    return Making(world.core)


def make(making: Making, share: float = 0.2, **fields: Any) -> Any:
    with being("ada"):
        return making.make(MakeDataset(name="tags", field_share=share, **fields))


def images(world: World, dataset: str) -> dict[str, ImageRecord]:
    """By the capture they came from."""
    found = DatasetsService(world.core).images(dataset, Filters(), 0, 100).images
    return {image.file_name.split("/")[-1].removesuffix(".png"): image for image in found}


def accepted(world: World, *captures: str) -> None:
    for capture in captures:
        world.says("ada", capture)


def test_reviewed_captures_are_a_dataset_and_the_same_again_changes_nothing(world: World, making: Making) -> None:
    accepted(world, *world.some(8))
    made = make(making, 0.0)
    assert (made.created, made.added, made.field, made.version.classes) == (True, 8, None, ("scratch",))
    source = images(world, "tags")["c0"].boxes[0].source
    assert source is not None
    assert (source.kind.value, source.by, source.version, source.reviewed) == ("model", "tags", "3", True)
    assert world.reviews.get("c0").dataset == made.version.id
    again = make(making, 0.0)
    assert (again.created, again.added, again.version) == (False, 0, made.version)


def test_a_share_goes_to_the_field_set_first_and_nowhere_else(world: World, making: Making) -> None:
    accepted(world, *world.some(4))
    make(making, 0.0)
    for n in range(10, 20):
        world.capture(f"n{n}", seed=n)
    world.reviews.intake.step()
    accepted(world, *(f"n{n}" for n in range(10, 20)))
    made = make(making, 0.3)
    assert (made.field_added, made.added, made.field.images, made.version.images) == (3, 7, 3, 11)
    field, rest = images(world, "tags-field"), images(world, "tags")
    assert not field.keys() & rest.keys()
    assert {image.split for image in field.values()} == {Split.TEST}
    assert world.reviews.get(next(iter(field))).dataset == made.field.id


def test_near_duplicates_are_never_on_two_sides_over_versions(world: World, making: Making) -> None:
    accepted(world, *world.some(8))
    make(making, 0.0)
    before = images(world, "tags")
    for n in range(8):  # the same things, a little moved
        picture = surface(n, 120, 80)
        moved = picture.transform(picture.size, 0, (1, 0, 1, 0, 1, 1))
        world.capture(f"again{n}", data=png(moved), device="cam-2")
    world.reviews.intake.step()
    accepted(world, *(f"again{n}" for n in range(8)))
    make(making, 0.5)
    after = images(world, "tags")
    assert {n: after[f"again{n}"].split for n in range(8) if f"again{n}" in after} == {
        n: before[f"c{n}"].split for n in range(8) if f"again{n}" in after
    }
    field = images(world, "tags-field") if DatasetsService(world.core).newest("tags-field") else {}
    assert all(before[name.replace("again", "c")].split is Split.TEST for name in field)
    assert {name: image.split for name, image in after.items() if name in before} == {
        name: image.split for name, image in before.items()
    }


def test_labels_reviewed_anew_replace_those_of_the_version_before(world: World, making: Making) -> None:
    accepted(world, *world.some(4))
    first = make(making, 0.0).version
    with being("ada"):
        world.reviews.undo()  # c3
    world.says("ada", "c3", "correct", box(1, 2, 30, 40, "dent"))
    made = make(making, 0.0)
    assert (made.created, made.added, made.changed, made.version.classes) == (True, 0, 1, ("scratch", "dent"))
    assert images(world, "tags")["c3"].boxes[0].label == "dent"
    assert images(world, first.id)["c3"].boxes[0].label == "scratch"
    assert images(world, "tags")["c3"].split is images(world, first.id)["c3"].split


def test_a_version_beside_a_given_split_keeps_it(world: World, making: Making) -> None:
    from lineside.contract.dataset import ImportRequest
    from tests.server.datasets.conftest import boxed, coco, listed, picture

    files = {f"{n}.png": picture(100 + n) for n in range(3)}
    entries = [one | {"split": side} for one, side in zip(listed(3), ("train", "val", "test"), strict=True)]
    files["a.json"] = coco(entries, [boxed(n, 10, 10, 20, 20) for n in range(3)])
    request = ImportRequest(name="tags", files={path: world.core.objects.put(data) for path, data in files.items()})
    base = DatasetsService(world.core).import_folder(request).version
    accepted(world, *world.some(3))
    made = make(making, 0.0).version
    assert (made.images, made.split_by, made.classes) == (6, base.split_by, ("dent", "scratch"))
    held = {name: image.split.value for name, image in images(world, "tags").items() if name in "012"}
    assert held == {"0": "train", "1": "val", "2": "test"}


def test_only_captures_of_a_model_are_taken(world: World, making: Making) -> None:
    world.capture("other", seed=50, model="plates")
    accepted(world, *world.some(3), "other")
    assert make(making, 0.0, model="tags").added == 3
    assert make(making, 0.0).added == 1


def test_nothing_to_take_is_said(making: Making) -> None:
    with pytest.raises(LinesideError, match=r"^review\.none_to_take:"):
        make(making)


def test_a_rule_makes_a_version_when_enough_were_reviewed(world: World, making: Making) -> None:
    rules, captures = Rules(world.core, making), world.some(4)
    rules.apply(ReviewRule(name="tags", reviewed=4, field_share=0.0))
    accepted(world, *captures[:3])
    rules.step()
    assert DatasetsService(world.core).newest("tags") is None
    accepted(world, captures[3])
    rules.step()
    version = DatasetsService(world.core).version("tags")
    rules.step()
    assert (version.images, DatasetsService(world.core).versions("tags").total) == (4, 1)


def test_a_rule_keeps_why_it_could_not(world: World, making: Making) -> None:
    rules = Rules(world.core, making)
    rules.apply(ReviewRule(name="tags", reviewed=1))
    world.some(1)
    world.says("ada", "c0", "nothing")
    rules.step()
    assert "no box is on any picture yet" in rules.all()[0].problem
