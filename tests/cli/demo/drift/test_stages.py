"""Stages of the drift story against canned answers: what each asks, what it waits for, and what it says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.cli.demo.drift.line import Labelled, Line
from lineside.cli.demo.drift.retrain import apply_loop, loop_of
from lineside.cli.demo.drift.review import REVIEWED, answer_of, collect, review
from lineside.cli.demo.drift.watch import Change, change, drift_told, watch_clear, windows_between
from lineside.cli.demo.scene import Scene
from lineside.cli.demo.story import Release
from lineside.contract.capture import CapturePage, CaptureRecord
from lineside.contract.drift_alarm import AlarmPage, AlarmState, DriftAlarm, DriftPage, DriftScope, DriftStream
from lineside.contract.drift_distance import Distance
from lineside.contract.errors import LinesideError
from lineside.contract.loop import Loop, LoopApplied
from lineside.contract.review import (
    AnswerKind,
    Batch,
    ReviewBox,
    ReviewItem,
    ReviewPage,
    ReviewRule,
    ReviewState,
)
from tests.cli import values
from tests.cli.control_plane import CannedControlPlane

BOX = ReviewBox(label="scratch", x=1.0, y=2.0, width=3.0, height=4.0)
TRUTH = {"sha256:marked": (BOX,), "sha256:good": ()}


def _alarm(name: str = "b", number: int = 1, **changes: Any) -> DriftAlarm:
    told = DriftAlarm(
        number=number,
        state=AlarmState.CLEARED,
        stream="s",
        scope=DriftScope.DEVICE,
        name=name,
        model="metal-tags",
        version=1,
        digest=values.DIGEST,
        quantities={"brightness": Distance(shift=-2.6, limit=2.2, count=40)},
        shown_since="2026-11-22T10:00:00.000Z",
        raised_at="2026-11-22T10:01:01.000Z",
    )
    return msgspec.structs.replace(told, **changes)


def _stream(name: str, windows: int, version: int = 1) -> DriftStream:
    return DriftStream(
        id=name,
        scope=DriftScope.DEVICE,
        name=name,
        model="metal-tags",
        version=version,
        digest=values.DIGEST,
        first_at="",
        last_at="",
        windows=windows,
    )


def _item(number: int, digest: str) -> ReviewItem:
    record = CaptureRecord(
        id=f"c{number}",
        device="b",
        digest=digest,
        size=1,
        content_type="image/jpeg",
        strategy="drift",
        reason="far",
        captured_at="2026-11-22T10:00:00Z",
    )
    return ReviewItem(record=record, state=ReviewState.WAITING, width=450, height=300, alike=f"c{number}")


@pytest.mark.parametrize(
    ("since", "until", "windows"),
    [
        ("10:00:05.000", "10:00:19.900", 0),
        ("10:00:05.000", "10:00:21.000", 1),
        ("10:00:05.000", "10:00:41.000", 2),
        ("10:00:19.000", "10:01:01.500", 3),
    ],
)
def test_windows_are_counted_by_the_clock(since: str, until: str, windows: int) -> None:
    assert windows_between(f"2026-11-22T{since}Z", f"2026-11-22T{until}Z", 20.0) == windows


def test_answers_are_what_is_on_the_picture() -> None:
    marked, good, unknown = (answer_of(_item(1, f"sha256:{name}"), TRUTH) for name in ("marked", "good", "other"))
    assert (marked.kind, marked.boxes) == (AnswerKind.CORRECT, (BOX,))
    assert (good.kind, good.boxes) == (AnswerKind.NOTHING, ())
    assert (unknown.kind, unknown.boxes) == (AnswerKind.UNSURE, ())


def test_as_many_are_reviewed_as_the_rule_waits_for(scene: Scene, plane: CannedControlPlane) -> None:
    items = tuple(_item(number, "sha256:marked") for number in range(10))
    plane.answers["POST /review/next"] = Batch(items=items, until="")
    plane.answers["POST /review/answers"] = items[0]
    assert review(scene, "b", TRUTH) == REVIEWED
    answers = [asked.body for asked in plane.asked if asked.route == "POST /review/answers"]
    assert len(answers) == REVIEWED
    assert {answer["kind"] for answer in answers} == {"correct"}
    leased = next(asked.body for asked in plane.asked if asked.route == "POST /review/next")
    assert (leased["strategy"], leased["device"]) == ("drift", "b")


def test_captures_are_waited_for_until_enough_show_drift(scene: Scene, plane: CannedControlPlane) -> None:
    readings = [(3, 0), (REVIEWED, REVIEWED - 1), (REVIEWED + 1, REVIEWED)]

    def tick() -> None:
        kept, waiting = readings.pop(0)
        plane.answers["GET /captures"] = CapturePage(captures=(), total=kept)
        items = tuple(_item(number, "sha256:marked") for number in range(waiting))
        plane.answers["GET /review"] = ReviewPage(items=items)

    tick()
    scene.plane.tick = tick
    assert collect(scene, "b") == REVIEWED + 1
    asked = next(asked for asked in plane.asked if asked.route == "GET /captures")
    assert (asked.query["device"], asked.query["strategy"]) == ("b", "drift")


def test_the_line_changes_at_one_device_and_an_alarm_comes_of_it(
    scene: Scene, plane: CannedControlPlane, words: Any
) -> None:
    line = Line({"b": scene.root.path / "b" / "inbox"}, 1000.0)
    plane.answers["GET /drift/alarms"] = AlarmPage(alarms=(), total=0)
    plane.answers["GET /drift/streams"] = DriftPage(streams=(_stream("b", 2),), total=1)

    def tick() -> None:
        line.step()
        raised = _alarm(raised_at="2999-01-01T00:00:00.000Z")
        plane.answers["GET /drift/alarms"] = AlarmPage(alarms=(raised,), total=1)

    scene.plane.tick = tick
    changed, alarm = change(scene, line, "b", [Labelled("new.jpg", b"new", ())])
    assert (changed.device, alarm.number) == ("b", 1)
    assert list((scene.root.path / "b" / "inbox").glob("*-new.jpg"))
    assert scene.root.told.exists()
    assert "brightness" in words.getvalue()


def test_an_alarm_on_another_device_counts_as_false(scene: Scene, plane: CannedControlPlane) -> None:
    fleet = _alarm("fleet", 4, scope=DriftScope.FLEET)
    plane.answers["GET /drift/alarms"] = AlarmPage(alarms=(fleet, _alarm("a", 3), _alarm("c", 2), _alarm()), total=4)
    told = drift_told(scene, Change("b", "2026-11-22T10:00:15.000Z"), _alarm(), 61)
    assert (told.raised_within_windows, told.false_devices, told.cleared) == (3, ["a", "c"], True)
    assert (told.quantities, told.captures) == ({"brightness": -2.6}, 61)


@pytest.mark.parametrize(
    "later", [_alarm(number=2, state=AlarmState.RAISED), _alarm(number=2, version=2)], ids=["open", "of the next model"]
)
def test_drift_is_not_over_while_another_alarm_follows(
    scene: Scene, plane: CannedControlPlane, later: DriftAlarm
) -> None:
    plane.answers["GET /drift/alarms"] = AlarmPage(alarms=(later, _alarm()), total=2)
    assert not drift_told(scene, Change("b", "2026-11-22T10:00:15.000Z"), _alarm(), 61).cleared


def test_the_end_waits_for_windows_of_the_next_model_on_every_device(scene: Scene, plane: CannedControlPlane) -> None:
    plane.answers["GET /drift/alarms"] = AlarmPage(alarms=(), total=0)
    readings = [
        (_stream("a", 9), _stream("b", 3, 2)),  # a still runs the model before
        (_stream("a", 2, 2), _stream("b", 4, 2)),
        (_stream("a", 3, 2), _stream("b", 5, 2)),
    ]

    def tick() -> None:
        streams = readings.pop(0)
        plane.answers["GET /drift/streams"] = DriftPage(streams=streams, total=2)

    tick()
    scene.plane.tick = tick
    watch_clear(scene, msgspec.structs.replace(values.MODEL, version=2), ("a", "b"))
    assert readings == []


def test_the_loop_is_started_by_drift_and_judged_on_both_sets(scene: Scene, plane: CannedControlPlane) -> None:
    made = Release(scene.root.path, values.DATASET, values.RUN, _fp32(), ("a", "b"))
    document = loop_of(scene, made)
    assert (document.dataset, document.field) == ("metal-tags@latest", "metal-tags-field@latest")
    assert (document.triggers.drift, document.triggers.reviewed, document.schedule) == (True, None, None)
    assert document.init == values.DIGEST
    assert [gate.parameters.get("split", "test") for gate in document.gates] == ["test", "field"]
    loop = Loop(document=document, created_at="", changed_at="", by="admin")
    plane.answers["PUT /loops/metal-tags"] = LoopApplied(loop=loop, changed=True)
    plane.answers["PUT /review/rules/metal-tags"] = ReviewRule(name="metal-tags")
    apply_loop(scene, made)
    assert plane.asked[-1].body["reviewed"] == REVIEWED
    started = [asked.route for asked in plane.asked if asked.route.startswith(("POST /runs", "POST /loops"))]
    assert started == []  # the story starts no run of it


def _fp32() -> Any:
    variant = msgspec.structs.replace(values.MODEL.variants[0], name="fp32", digest=values.DIGEST)
    return msgspec.structs.replace(values.MODEL, variants=(variant,))


def test_waiting_in_vain_says_where_to_look(scene: Scene, plane: CannedControlPlane, monkeypatch: Any) -> None:
    monkeypatch.setattr("lineside.cli.demo.drift.watch._SECONDS", 0.0)
    plane.answers["GET /drift/streams"] = DriftPage(streams=(), total=0)
    with pytest.raises(LinesideError) as refusal:
        watch_clear(scene, values.MODEL, ("a",))
    assert refusal.value.code == "demo.waited_in_vain"
    assert refusal.value.next == f"Look at {scene.plane.url}/drift"
