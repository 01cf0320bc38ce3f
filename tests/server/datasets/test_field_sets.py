"""Field sets: which names they have, which series they are of, and what is free for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete

from lineside.contract.dataset import ImportRequest
from lineside.contract.dataset_check import FieldRequest
from lineside.contract.errors import LinesideError
from lineside.server.datasets.fields import FieldSets
from lineside.server.datasets.pictures.looks import LookRow
from lineside.server.datasets.series import add_to_series
from lineside.server.datasets.service import DatasetsService
from lineside.server.services import Core
from tests.server.datasets.test_dataset_checks import labelled

Make = Callable[[str], Any]
LATELY = "2026-11-02T08:00:00Z"


@pytest.fixture
def field_sets(core: Core) -> FieldSets:
    return FieldSets(core, DatasetsService(core))


def test_nothing_is_imported_as_a_field_set(folder: Any, make: Make, field_sets: FieldSets, core: Core) -> None:
    with pytest.raises(LinesideError, match="-field are kept for field sets") as caught:
        labelled(folder, make, range(8), "tags-field")
    assert (caught.value.code, DatasetsService(core).versions().total) == ("request.invalid", 0)


def test_a_field_set_does_not_grow_from_what_was_imported_under_its_name(
    folder: Any, make: Make, field_sets: FieldSets, core: Core
) -> None:
    labelled(folder, make, range(8), "tags", taken_at=LATELY)
    other = labelled(folder, make, range(100, 108), "other")
    with core.database.write() as session:
        add_to_series(session, "tags-field", other.id)  # as it was possible once
    with pytest.raises(LinesideError, match="was imported and is no field set") as caught:
        field_sets.grow(FieldRequest(name="tags"))
    assert caught.value.code == "request.invalid"


def test_content_that_was_imported_elsewhere_before_is_a_field_set_too(
    folder: Any, make: Make, field_sets: FieldSets
) -> None:
    labelled(folder, make, range(8), "tags")
    week = labelled(folder, make, range(100, 104), "week", taken_at=LATELY, split="test")
    request = FieldRequest(name="tags", sources=("week",))
    assert field_sets.grow(request).version.digest == week.digest
    again = field_sets.grow(request)
    assert (again.created, again.version.id) == (False, week.id)


def test_a_field_set_has_a_name_that_is_one(folder: Any, make: Make, field_sets: FieldSets) -> None:
    labelled(folder, make, range(4), "t" * 58, taken_at=LATELY)
    with pytest.raises(LinesideError, match="too long a name") as caught:
        field_sets.grow(FieldRequest(name="t" * 58))
    assert caught.value.code == "request.invalid"


@pytest.mark.parametrize("latest", ["", "@latest"])
def test_a_field_set_is_of_the_series_that_was_asked_for(
    folder: Any, make: Make, field_sets: FieldSets, latest: str
) -> None:
    first = labelled(folder, make, range(8), "first")
    assert labelled(folder, make, range(8), "tags").id == first.id  # the same content keeps its first name
    labelled(folder, make, range(100, 104), "week", taken_at=LATELY)
    report = field_sets.grow(FieldRequest(name="tags" + latest, sources=("week",)))
    assert report.version.name == "tags-field"
    labelled(folder, make, range(104, 106), "week", taken_at=LATELY)
    assert field_sets.grow(FieldRequest(name=first.id, sources=("week",))).version.name == "first-field"


@pytest.mark.parametrize("what", ["group", "picture"])
def test_what_the_data_has_on_two_sides_is_no_field_set(
    folder: Any, make: Make, field_sets: FieldSets, what: str
) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "group": f"part {n}", "split": "train"} for n in range(6)]
    images[4] |= {"split": "test"}
    if what == "group":
        images[4]["group"] = images[3]["group"] = "part 100"
    folder.files = {f"{n}.png": make("picture")(100 if what == "picture" and n in (3, 4) else n) for n in range(6)}
    folder.files["a.json"] = make("coco")(images, [])
    folder("tags")
    folder.files["a.json"] = make("coco")(images[:2], [])
    folder("tags")  # the newest version has them no longer
    labelled(folder, make, range(100, 104), "week", taken_at=LATELY)
    report = field_sets.grow(FieldRequest(name="tags", sources=("week",)))
    assert (report.added, report.left_out["on two sides"]) == (3, 1)


def test_a_picture_that_decodes_no_longer_is_left_out(
    folder: Any, make: Make, field_sets: FieldSets, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(folder, make, range(8), "tags")
    labelled(folder, make, range(100, 104), "week", taken_at=LATELY)
    with core.database.write() as session:
        session.execute(delete(LookRow).where(LookRow.digest == folder.images[0].digest))
    monkeypatch.setattr("lineside.server.datasets.pictures.decoding.look_at", lambda data: None)
    report = field_sets.grow(FieldRequest(name="tags", sources=("week",)))
    assert (report.added, report.left_out["not decoded"]) == (3, 1)


def test_names_that_cannot_lie_in_one_folder_become_other_ones(
    folder: Any, make: Make, field_sets: FieldSets, core: Core
) -> None:
    labelled(folder, make, range(8), "tags")
    weeks = (("a.png", "b.png", "c", "d.png"), ("A.png", "b.png/x", "c/e.png", "d.png"), ("a.PNG", "e.png"))
    for number, names in enumerate(weeks):
        fields = {"taken_at": LATELY, "split": "test"}
        images = [{"id": n, "file_name": name, "group": f"{number} {n}"} | fields for n, name in enumerate(names)]
        folder.files = {name: make("picture")(100 + 10 * number + n) for n, name in enumerate(names)}
        folder.files["labels.json"] = make("coco")(images, [])
        folder(f"week-{number}")
        grown = field_sets.grow(FieldRequest(name="tags", sources=(f"week-{number}",)))
        assert grown.added == len(names)
    service = DatasetsService(core)
    listing = service.export(grown.version.id, "coco")
    again = service.import_folder(ImportRequest(name="again", files=listing.files))
    assert (again.created, again.version.id, again.version.images) == (False, grown.version.id, 10)
