"""Series: a group or picture that has its side keeps it, however a dataset grows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from benchmarks.grouping import photographs
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lineside.contract.dataset import ImportRequest, Split
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.pictures.patches import patch
from lineside.server.datasets.series import what_is_known
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.splitting import SHARES, Known, Seen, divide
from lineside.server.services import Core

Make = Callable[[str], Any]
BLANK = patch(Image.new("L", (90, 60)))


def seen(number: int, group: str | None, side: Split | None = None) -> Seen:
    digest = digest_of(b"%d" % number)
    return Seen(f"{number}.png", digest, BLANK, group, side)


class Series:
    """Remembers as the tables do."""

    def __init__(self) -> None:
        self.pictures: dict[str, Split] = {}
        self.groups: dict[str, Split] = {}

    def grow(self, images: list[Seen]) -> dict[str, Split]:
        splitting = divide(images, Warnings(), Known(pictures=self.pictures, groups=self.groups))
        sides = {image.digest: side for image, side in zip(images, splitting.sides, strict=True)}
        for image, side in zip(images, splitting.sides, strict=True):
            assert self.pictures.setdefault(image.digest, side) is side, "a picture moved"
            assert self.groups.setdefault(image.group or "", side) is side, "a group moved"
        return sides


@given(
    st.lists(st.integers(0, 25), min_size=1, max_size=120),
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_in_whatever_batches_it_grows_nothing_moves(groups: list[int], cuts: list[int], whole: bool) -> None:
    images = [seen(number, f"tag {group}") for number, group in enumerate(groups)]
    series, again = Series(), Series()
    start = 0
    while start < len(images):
        end = start + cuts[start % len(cuts)]
        batch = images[0 if whole else start : end]
        assert series.grow(batch) == again.grow(batch)  # the same history gives the same sides
        start = end
    assert series.grow(images) == series.pictures
    by_group = defaultdict(set)
    for image in images:
        by_group[image.group].add(series.pictures[image.digest])
    assert all(len(sides) == 1 for sides in by_group.values())


@given(st.permutations(range(60)))
@settings(max_examples=30, deadline=None)
def test_shares_are_approached_in_whatever_order_it_grows(order: list[int]) -> None:
    images = [seen(number, f"tag {number // 4}") for number in range(240)]
    tags, series = [image for tag in order for image in images[4 * tag : 4 * tag + 4]], Series()
    for end in range(24, 241, 24):
        sides = list(series.grow(tags[:end]).values())
    for side, share in SHARES.items():
        assert sides.count(side) / len(sides) == pytest.approx(share, abs=0.05)


def test_the_datas_own_split_moves_nothing_that_has_its_side() -> None:
    first = [seen(number, f"tag {number}") for number in range(10)]
    known = divide(first, Warnings())
    pictures = dict(zip((image.digest for image in first), known.sides, strict=True))
    turned = [seen(number, f"tag {number}", Split.TEST) for number in range(12)]
    warnings = Warnings()
    splitting = divide(turned, warnings, Known(pictures=pictures))
    assert splitting.sides[:10] == known.sides
    assert splitting.sides[10:] == (Split.TEST, Split.TEST)
    kept = sum(side is not Split.TEST for side in known.sides)
    assert [(one.code, one.count) for one in warnings.counted() if one.code == "dataset.side_kept"] == [
        ("dataset.side_kept", kept)
    ]


def shots(things: int) -> list[Seen]:
    """Five photographs of each of some made-up things, without groups."""
    return [
        Seen(f"{at}.png", digest_of(b"%d" % at), patch(picture), None, None)
        for at, picture in enumerate(photographs(5 * things, 1.0))
    ]


def test_a_new_photograph_of_a_known_thing_goes_where_the_thing_is() -> None:
    images = shots(8)
    before = [image for at, image in enumerate(images) if at % 5 < 3]
    first = divide(before, Warnings())
    pictures = dict(zip((image.digest for image in before), first.sides, strict=True))
    late = [image for at, image in enumerate(images) if at % 5 >= 3]
    alone = divide(late, Warnings(), Known(pictures=pictures, elsewhere=before))  # the old ones are not imported again
    side_of_thing = [pictures[images[5 * thing].digest] for thing in range(8)]
    assert list(alone.sides) == [side for side in side_of_thing for _ in range(2)]


def test_what_was_put_on_two_sides_before_it_was_known_to_belong_together_stays() -> None:
    images = shots(8)
    pictures = {images[0].digest: Split.TEST, images[1].digest: Split.TRAIN, images[2].digest: Split.TRAIN}
    warnings = Warnings()
    splitting = divide(images, warnings, Known(pictures=pictures))
    assert splitting.sides[:5] == (Split.TEST, *[Split.TRAIN] * 4)
    told = next(one for one in warnings.counted() if one.code == "dataset.sides_meet")
    assert told.examples == ("train: 1.png, 2.png; test: 0.png",)
    by_group = defaultdict(set)
    for group, side in zip(splitting.groups, splitting.sides, strict=True):
        by_group[group].add(side)
    assert all(len(sides) == 1 for sides in by_group.values())


# --- through the tables -----------------------------------------------------------------------------------------------


def fill(folder: Any, make: Make, count: int, **fields: Any) -> None:
    images = make("listed")(count, **fields)
    for image in images:
        name = image["file_name"]
        folder.files.setdefault(name, make("picture")(image["id"]))
        image["group"] = image["id"] // 2
    folder.files["a.json"] = make("coco")(images, [])


def sides(folder: Any) -> dict[str, Split]:
    return {image.file_name: image.split for image in folder.images}


def test_a_series_grows_in_the_database(folder: Any, make: Make) -> None:
    fill(folder, make, 12)
    small, before = folder(), sides(folder)
    fill(folder, make, 40)
    large, after = folder(), sides(folder)
    assert {name: after[name] for name in before} == before
    assert small.id != large.id
    fill(folder, make, 12)
    assert folder().id == small.id  # the same input again
    assert sides(folder) == before


def test_another_name_is_another_series(folder: Any, make: Make) -> None:
    fill(folder, make, 12, split="test")
    folder("tags")
    fill(folder, make, 12)
    folder("others")
    assert set(sides(folder).values()) == set(Split)
    folder("tags")
    assert set(sides(folder).values()) == {Split.TEST}


def test_a_name_stands_for_its_newest_version(folder: Any, make: Make, core: Core) -> None:
    service = DatasetsService(core)
    fill(folder, make, 12)
    first = folder("tags")
    fill(folder, make, 14)
    second = folder("tags")
    assert service.version("tags").id == service.version("tags@latest").id == second.id
    fill(folder, make, 12)
    folder("tags")
    assert service.version("tags").id == first.id  # what was imported last
    with pytest.raises(LinesideError) as caught:
        service.version("nothing")
    assert caught.value.code == "request.not_found"


def test_photographs_that_come_alone_find_their_earlier_like(folder: Any, make: Make) -> None:
    pictures = [Image.fromarray(np.asarray(one)) for one in photographs(30, 1.0)]

    def bring(chosen: list[int]) -> None:
        folder.files = {f"{at}.png": make("png")(pictures[at]) for at in chosen}
        folder.files["a.json"] = make("coco")([{"id": at, "file_name": f"{at}.png"} for at in chosen], [])
        folder()

    bring([at for at in range(30) if at % 5 < 3])
    before = sides(folder)
    bring([at for at in range(30) if at % 5 >= 3])
    assert sides(folder) == {f"{at}.png": before[f"{at - at % 5}.png"] for at in range(30) if at % 5 >= 3}


def test_an_import_that_comes_between_is_seen(
    folder: Any, make: Make, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two imports of one series at once: the later one to finish looks again."""
    fill(folder, make, 12, split="test")
    first = ImportRequest(name="tags", files={path: core.objects.put(data) for path, data in folder.files.items()})
    fill(folder, make, 12)
    calls: list[str] = []

    def known(*asked: Any) -> Any:
        answer = what_is_known(*asked)
        if not calls:
            calls.append("between")
            DatasetsService(core).import_folder(first)
        return answer

    monkeypatch.setattr("lineside.server.datasets.service.what_is_known", known)
    folder()
    assert calls == ["between"]
    assert set(sides(folder).values()) == {Split.TEST}
