"""Field accuracy of what people reviewed: only the random sample, by version, group and device; too few is said."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from lineside.cli.app import run
from lineside.client import Client
from lineside.contract.capture import CaptureRecord
from lineside.contract.dataset import Box
from lineside.contract.errors import RemoteError
from lineside.contract.field_accuracy import ENOUGH_PICTURES
from lineside.contract.ids import digest_of
from lineside.contract.result import Detection, Result
from lineside.contract.review import ReviewState
from lineside.server.captures.store import CaptureRow
from lineside.server.clock import rfc3339
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.signals import FieldSignals
from lineside.server.review.store import ItemRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running
from tests.server.drift.conftest import Tell
from tests.server.drift.telling import a_device

RIGHT = Detection(label="dent", class_index=0, confidence=0.9, x=10, y=10, width=20, height=20)
THERE = Box(label="dent", x=10, y=10, width=20, height=20)


def reviewed(core: Core, number: int, found: bool = True, there: bool = True, **fields: Any) -> None:
    """A capture that a person has reviewed now."""
    values: dict[str, Any] = {"device": "cam-1", "version": 1, "strategy": "random", "state": ReviewState.REVIEWED}
    values |= fields
    id_, now = f"c-{values['strategy']}-{values['version']}-{number}", rfc3339(core.clock.now())
    digest = digest_of(id_.encode())
    result = Result(
        device=values["device"], model="tags", version=values["version"], digest=digest, image="a.png",
        captured_at=now, sequence=number, width=64, height=64, latency_ms=1.0, detections=(RIGHT,) if found else (),
    )  # fmt: skip
    record = CaptureRecord(
        id=id_, device=values["device"], digest=digest, size=1, content_type="image/png", strategy=values["strategy"],
        reason="", captured_at=now, result=result,
    )  # fmt: skip
    with core.database.write() as session:
        session.add(
            CaptureRow(
                id=id_, device=record.device, strategy=record.strategy, record=record, requested_at=now,
                uploaded_at=now, digest=digest,
            )
        )  # fmt: skip
        session.add(
            ItemRow(
                capture=id_, device=record.device, strategy=record.strategy, model="tags", version=values["version"],
                digest=digest, width=64, height=64, alike=id_, arrival=number, turn=number,
                state=values["state"].value, labels=(THERE,) if there else (), reviewed_at=now,
            )
        )  # fmt: skip


def test_only_the_random_sample_counts(core: Core, clock: FakeClock) -> None:
    for number in range(40):
        clock.advance(1)
        reviewed(core, number, found=number % 4 > 0)
        reviewed(core, number, found=False, strategy="uncertain")
        reviewed(core, 100 + number, found=False, state=ReviewState.WAITING)
    (one,) = FieldAccuracies(core).of()
    assert (one.model, one.version, one.pictures, one.devices) == ("tags", 1, 40, 1)
    assert one.right is not None
    assert one.right.value == 0.75
    (dent,) = one.classes
    assert (dent.labelled, dent.found, dent.matched) == (40, 30, 30)
    assert dent.recall is not None
    assert dent.recall.value == 0.75
    assert dent.recall.low == pytest.approx(0.6, abs=0.02)
    assert one.accuracy is not None
    assert one.accuracy.value == pytest.approx(2 * 30 / 70)


def test_too_few_reviews_have_no_number_and_one_more_is_seen_at_once(core: Core, clock: FakeClock) -> None:
    field = FieldAccuracies(core)
    assert field.of() == []
    for number in range(ENOUGH_PICTURES - 1):
        reviewed(core, number)
    (few,) = field.of()
    assert (few.pictures, few.enough, few.accuracy, few.right) == (29, 30, None, None)
    clock.advance(1)
    reviewed(core, 99)
    (enough,) = field.of()
    assert enough.accuracy is not None
    clock.advance(40 * 86_400)
    assert field.of(days=30) == []
    assert field.of(days=50)[0].pictures == 30


def test_by_version_group_and_device(core: Core, clock: FakeClock) -> None:
    a_device(core, "cam-1", "line-1")
    a_device(core, "cam-2", "line-2")
    for number in range(30):
        reviewed(core, number, device="cam-1")
        reviewed(core, 50 + number, device="cam-2", found=False)
        reviewed(core, number, version=2)
    field = FieldAccuracies(core)
    assert [(one.version, one.pictures) for one in field.of()] == [(2, 30), (1, 60)]
    assert [(one.version, one.pictures) for one in field.of("tags:1", group="line-1")] == [(1, 30)]
    (whole,), (mine,), (theirs,) = field.of("tags:1"), field.of("tags:1", "line-1"), field.of("tags:1", device="cam-2")
    assert [one.right.value for one in (whole, mine, theirs) if one.right] == [0.5, 1.0, 0.0]
    assert field.of(group="line-3") == field.of("other") == []


def test_what_loops_are_told(core: Core, tell: Tell, clock: FakeClock) -> None:
    signals = FieldSignals(core, FieldAccuracies(core))
    before = rfc3339(clock.now())
    clock.advance(1)
    for number in range(30):
        reviewed(core, number, found=number % 2 > 0)
        reviewed(core, number, strategy="drift")
    for _ in range(3):
        tell(light=-60)
    with core.database.read() as session:
        assert signals.reviewed(session, "tags", before) == 60
        assert signals.reviewed(session, "other", before) == 0
        assert signals.reviewed(session, "tags", rfc3339(clock.now())) == 0
        assert signals.drift(session, "tags") == "brightness on cam-1, cam"
        assert signals.drift(session, "other") == ""
        told = signals.field_accuracy(session, "tags")
        assert (told.value, told.reviews) == (pytest.approx(2 / 3), 30)
        assert signals.field_accuracy(session, "other").value is None


def test_people_see_it_on_the_overview_the_page_and_by_the_command(
    lineside: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    a_device(lineside.core)
    for number in range(29):
        reviewed(lineside.core, number)
    client = Client(lineside.people_url)
    overview = client.overview()
    assert [(one.pictures, one.accuracy, one.classes) for one in overview.field] == [(29, None, ())]
    assert "too few reviews: 29 of 30" in _page(lineside, "/")
    for number in range(100, 110):
        reviewed(lineside.core, number, found=False)
    assert "0.853" in _page(lineside, "/")  # 2 * 29 / (39 + 29)
    assert "29 of 39 there" in _page(lineside, "/drift")
    assert run(["drift", "field", "tags", "--json", "--url", lineside.people_url]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["accuracy"]["value"] == pytest.approx(58 / 68)
    assert run(["drift", "field", "--url", lineside.people_url]) == 0
    assert "0.853" in capsys.readouterr().out
    with pytest.raises(RemoteError) as caught:
        client.field_accuracy(model="tags:x")
    assert caught.value.code == "request.invalid"


def _page(lineside: Running, where: str) -> str:
    with urllib.request.urlopen(lineside.people_url + where) as answer:
        return str(answer.read().decode())
