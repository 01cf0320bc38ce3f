"""From a person's wish to a dataset version: a collection, a real runtime that keeps its images, tickets, the report,
reviews through the API, and what is made of them, with where each label comes from. And what one device does not give,
because it went away, comes from another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineside.contract.capture import CaptureRecord
from lineside.contract.collection import Collection, CollectionDevice, CollectionRequest, CollectionState
from lineside.contract.dataset import Box, LabelKind
from lineside.contract.group import GroupRequest, Which
from lineside.contract.ids import digest_of
from lineside.contract.model import ModelVersion
from lineside.contract.review import Answer, AnswerKind, MakeDataset, NextRequest, ReviewBox, ReviewItem
from tests.e2e import tiny
from tests.e2e.plant import MODEL, Plant, Station
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]

ASKED = 6
GROUP = "cells"


def _collected(plant: Plant) -> Collection:
    """Six images asked of two cells, one of which inspects nothing."""
    plant.client.create_group(GroupRequest(name=GROUP))
    plant.client.add_to_group(GROUP, Which(devices=("cell-1", "cell-2")))
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return plant.client.collect(CollectionRequest(group=GROUP, count=ASKED, until=until, note="for the next version"))


def _feed(plant: Plant, station: Station, collection: str) -> None:
    """Half of what is asked for, one image once more, and when the runtime has said that it does not want that, the
    rest, and something beyond."""
    work = station.root / "work" / f"{MODEL}.inference"

    def asked() -> int:
        rows = json.loads((work / "capture-requests.json").read_bytes())
        return sum(row["count"] for row in rows if row["id"] == collection)

    def refused() -> int:
        kept = json.loads((work / "capture-requests-kept.json").read_bytes())
        return int(kept.get(collection, {}).get("refused", {}).get("same image", 0))

    eventually(lambda: (work / "capture-requests.json").exists() and asked() == ASKED)  # the other one's part, too
    station.feed(ASKED // 2)
    part = station.root / "again"
    part.write_bytes(tiny.picture(0))
    part.rename(station.root / "inbox" / "00000-again.png")
    eventually(lambda: (work / "capture-requests-kept.json").exists() and refused() == 1)
    station.feed(ASKED)


def _report(plant: Plant, id_: str) -> dict[str, CollectionDevice]:
    """Once it is complete, and its devices have said their last."""
    eventually(lambda: plant.client.collection(id_).state is not CollectionState.OPEN)
    eventually(lambda: plant.client.collection(id_).refused)
    report = plant.client.collection(id_)
    assert report.state is CollectionState.COMPLETE
    assert (report.asked, report.kept, report.uploaded) == (ASKED, ASKED, ASKED)
    assert report.refused == {"same image": 1}
    return {one.device: one for one in report.devices}


def _images(plant: Plant, id_: str, model: ModelVersion) -> list[CaptureRecord]:
    """What came: pictures that were fed, each once, decided by this model."""
    records = [one.record for one in plant.client.captures(request=id_).captures]
    fed = {digest_of(tiny.picture(number)): number for number in range(ASKED + ASKED // 2)}
    assert len({fed[one.digest] for one in records}) == len(records) == ASKED
    assert {(one.device, one.strategy, one.request) for one in records} == {("cell-1", "requested", id_)}
    assert all(one.result is not None and one.result.digest == model.digest for one in records)
    assert digest_of(plant.client.get_blob(records[0].digest)) == records[0].digest
    return records


def _reviewed(plant: Plant, records: list[CaptureRecord]) -> ReviewItem:
    """All are leased and answered; the first is corrected, the others are right as the model says."""
    names = {one.id for one in records}

    def waiting() -> tuple[ReviewItem, ...]:
        return plant.client.next_reviews(NextRequest(count=ASKED)).items

    eventually(lambda: len(waiting()) == ASKED)
    first, *others = waiting()
    assert {one.record.id for one in (first, *others)} == names
    moved = ReviewBox(label="bright", x=3, y=4, width=10, height=12)
    plant.client.answer_review(Answer(capture=first.record.id, kind=AnswerKind.CORRECT, boxes=(moved,)))
    for one in others:
        plant.client.answer_review(Answer(capture=one.record.id, kind=AnswerKind.ACCEPT))
    assert waiting() == ()
    return plant.client.review(first.record.id)


def _sources(boxes: tuple[Box, ...]) -> list[tuple[LabelKind, str, str, bool]]:
    return [(one.source.kind, one.source.by, one.source.version, one.source.reviewed) for one in boxes if one.source]


def test_a_collection_becomes_a_dataset_version_that_knows_where_its_labels_come_from(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        station = plant.device("cell-1")
        model = plant.release("first")
        plant.deploy(model, capture={"random": 0.0, "strategies": []})
        plant.wait_runs(station, model)
        plant.device("cell-2", group="spare")
        collection = _collected(plant)
        _feed(plant, station, collection.id)
        report = _report(plant, collection.id)
        assert (report["cell-1"].asked, report["cell-1"].uploaded) == (ASKED, ASKED)
        assert (report["cell-2"].asked, report["cell-2"].uploaded) == (0, 0)
        assert "No component" in report["cell-2"].why
        records = _images(plant, collection.id, model)
        corrected = _reviewed(plant, records)
        made = plant.client.make_dataset(MakeDataset(name="cells", field_share=0.0))
        assert made.version is not None
        assert (made.added, made.version.images, made.version.format) == (ASKED, ASKED, "review")
        images = {one.digest: one for one in plant.client.dataset_images(made.version.id).images}
        assert set(images) == {one.digest for one in records}
        mine = images.pop(corrected.record.digest)
        assert [(one.x, one.y, one.width, one.height) for one in mine.boxes] == [(3, 4, 10, 12)]
        assert _sources(mine.boxes) == [(LabelKind.PERSON, corrected.by[0], "", True)]
        assert {one for image in images.values() for one in _sources(image.boxes)} == {
            (LabelKind.MODEL, MODEL, str(model.version), True)
        }
        assert plant.client.review(corrected.record.id).dataset == made.version.id


def _asked_on(station: Station, collection: str) -> int:
    """How many the runtime of a device has been asked for."""
    file = station.root / "work" / f"{MODEL}.inference" / "capture-requests.json"
    rows = json.loads(file.read_bytes()) if file.exists() else []
    return sum(row["count"] for row in rows if row["id"] == collection)


def _kept_on(station: Station, collection: str) -> int:
    """How many its runtime says that it has kept."""
    file = station.root / "work" / f"{MODEL}.inference" / "capture-requests-kept.json"
    return int(json.loads(file.read_bytes()).get(collection, {}).get("kept", 0)) if file.exists() else 0


def test_what_one_that_goes_away_does_not_keep_comes_from_another(tmp_path: Path) -> None:
    """Of two, one leaves the group while its agent stands still. Its part is asked of the other; what its runtime has
    kept meanwhile counts when the agent is back, and is asked of the other no more: as many come as were asked for."""
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        gone, left = plant.device("cell-1"), plant.device("cell-2")
        model = plant.release("first")
        plant.deploy(model, capture={"random": 0.0, "strategies": []})
        for station in (gone, left):
            plant.wait_runs(station, model)
        id_ = _collected(plant).id
        eventually(lambda: _asked_on(gone, id_) == _asked_on(left, id_) == ASKED // 2)

        def parts() -> list[int]:
            return [one.asked for one in plant.client.collection(id_).devices]

        with gone.frozen():
            plant.client.remove_from_group(GROUP, Which(devices=("cell-1",)))
            eventually(lambda: parts() == [0, ASKED])
            gone.feed(2)
            eventually(lambda: _kept_on(gone, id_) == 2)
        eventually(lambda: parts() == [2, ASKED - 2])
        eventually(lambda: _asked_on(left, id_) == ASKED - 2)
        part = left.root / "arriving"
        for number in range(10, 10 + ASKED):  # none that the other one has kept
            part.write_bytes(tiny.picture(number))
            part.rename(left.root / "inbox" / f"{number:05d}.png")
        eventually(lambda: plant.client.collection(id_).state is CollectionState.COMPLETE)
        report = plant.client.collection(id_)
        assert (report.asked, report.kept, report.uploaded) == (ASKED, ASKED, ASKED)
        first, second = report.devices
        assert (first.uploaded, second.uploaded) == (2, ASKED - 2)
        assert first.why == f"It is not in {GROUP} any more: others were asked for {ASKED // 2} of its images."
        assert len({one.record.digest for one in plant.client.captures(request=id_).captures}) == ASKED
