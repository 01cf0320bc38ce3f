"""Collections: spread over a group, told to its devices, counted as images come, ended by completion or by time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from lineside.cli.collections import end_of
from lineside.client import Client
from lineside.contract.capture import Ticket
from lineside.contract.collection import (
    CaptureProgress,
    CaptureRequest,
    Collection,
    CollectionDevice,
    CollectionRequest,
    CollectionSchedule,
    CollectionState,
)
from lineside.contract.errors import LinesideError
from lineside.contract.group import Which
from lineside.server.captures.collections import Collections
from lineside.server.testing import FakeClock, Running, running
from lineside.server.testing_device import TestDevice
from tests.server.captures.test_captures import record

UNTIL = "2026-01-03T00:00:00.000Z"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lineside(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[Running]:
    with running(tmp_path / "root", clock, access_token_seconds=1_000_000, **database) as found:
        yield found


@pytest.fixture
def client(lineside: Running) -> Client:
    return Client(lineside.people_url)


@pytest.fixture
def cameras(lineside: Running) -> list[TestDevice]:
    return [TestDevice.join(lineside, f"cam-{n}", group="b") for n in range(3)]


def asked(camera: TestDevice) -> list[CaptureRequest]:
    return msgspec.json.decode(camera.get("/collections").content, type=list[CaptureRequest])


def collecting(camera: TestDevice) -> str:
    return camera.get("/desired").headers.get("Lineside-Collecting", "0")


def hear(camera: TestDevice) -> list[CaptureRequest]:
    """It checks in, and hears what it is asked for."""
    collecting(camera)
    return asked(camera)


def send(camera: TestDevice, n: int, collection: str, again: bool = False) -> None:
    data = f"{camera.name} {n}".encode()
    announced = record(camera.name, data, id=f"{camera.name}-{n}", strategy="requested", request=collection)
    ticket = msgspec.json.decode(camera.post("/captures", announced).content, type=Ticket)
    path = ticket.url.removeprefix("/device/v1")
    assert ticket.uploaded is again
    if again:
        return
    assert camera.request("PUT", path, content=data).status_code == 204


def collect(client: Client, count: int = 7, **fields: Any) -> Collection:
    return client.collect(CollectionRequest(**{"group": "b", "count": count, "until": UNTIL} | fields))


def report(client: Client, made: Collection) -> dict[str, CollectionDevice]:
    return {one.device: one for one in client.collection(made.id).devices}


def loop(lineside: Running) -> None:
    next(one for one in lineside.apps.loops if one.name == "collections").step()


@pytest.mark.both_databases
def test_from_the_request_to_the_report(client: Client, cameras: list[TestDevice], lineside: Running) -> None:
    assert {collecting(camera) for camera in cameras} == {"0"}
    made = collect(client, classes=("scratch",))
    assert (made.state, made.asked, made.told) == (CollectionState.OPEN, 7, 0)
    assert "0" not in {collecting(camera) for camera in cameras}
    parts = {camera.name: asked(camera) for camera in cameras}
    assert sorted(part.count for (part,) in parts.values()) == [2, 2, 3]
    assert {part.classes for (part,) in parts.values()} == {("scratch",)}
    first = cameras[0]
    assert first.post(f"/collections/{made.id}/kept", CaptureProgress(kept=2, refused={"store full": 4})).is_success
    send(first, 0, made.id)
    report = client.collection(made.id)
    line = next(one for one in report.devices if one.device == first.name)
    assert (line.kept, line.uploaded, line.refused) == (2, 1, {"store full": 4})
    assert (report.kept, report.uploaded, report.refused, report.told) == (2, 1, {"store full": 4}, 3)
    before = collecting(first)
    for camera in cameras:
        for n in range(1 if camera is first else 0, parts[camera.name][0].count):
            send(camera, n, made.id)
    report = client.collection(made.id)
    assert (report.state, report.uploaded) == (CollectionState.COMPLETE, 7)
    assert (asked(first), collecting(first) != before) == ([], True)
    assert client.captures(request=made.id).total == 7
    assert [event.kind for event in client.events().events if event.subject == made.id] == [
        "collection.complete",
        "collection.begun",
    ]


@pytest.mark.both_databases
def test_a_collection_ends_by_its_time_with_what_came(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    made = collect(client)
    send(cameras[0], 0, made.id)
    clock.advance(2 * 24 * 3600 + 1)
    assert asked(cameras[1]) == []
    loop(lineside)
    report = client.collection(made.id)
    assert (report.state, report.uploaded, report.ended_at is not None) == (CollectionState.ENDED, 1, True)
    send(cameras[0], 1, made.id)  # kept in time, and late
    assert client.collection(made.id).uploaded == 2


@pytest.mark.both_databases
def test_what_one_cannot_give_is_asked_of_the_others(
    client: Client, cameras: list[TestDevice], lineside: Running
) -> None:
    made = collect(client, 9)
    for camera in cameras[:2]:
        hear(camera)
    cameras[0].post(f"/collections/{made.id}/kept", CaptureProgress(why="No component keeps images."))
    loop(lineside)
    lines = {one.device: one for one in client.collection(made.id).devices}
    assert [lines[camera.name].asked for camera in cameras] == [0, 6, 3]
    assert lines["cam-0"].why == "No component keeps images."
    loop(lineside)
    assert client.collection(made.id).asked == 9


@pytest.mark.both_databases
def test_who_is_not_heard_for_a_quarter_of_the_time_is_replaced(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    """One has never heard of it, one has and has kept an image; the third is asked for what they do not have."""
    made = collect(client, 9)
    for camera in cameras[:2]:
        hear(camera)
    cameras[0].post(f"/collections/{made.id}/kept", CaptureProgress(kept=1))
    clock.advance(12 * 3600 - 1)
    hear(cameras[1])
    loop(lineside)
    assert {one.asked for one in client.collection(made.id).devices} == {3}  # they may come yet
    clock.advance(1)
    loop(lineside)
    lines = report(client, made)
    assert [lines[camera.name].asked for camera in cameras] == [1, 8, 0]
    assert "last heard of at 2026-01-01T00:00:00" in lines["cam-0"].why
    assert "others were asked for 2 of its images." in lines["cam-0"].why
    assert lines["cam-2"].why == "It has not heard of the collection: others were asked for 3 of its images."
    before = collecting(cameras[0])
    assert [part.count for part in asked(cameras[0])] == [1]  # the one that it has
    assert asked(cameras[2]) == []
    loop(lineside)
    assert client.collection(made.id).asked == 9
    assert collecting(cameras[0]) == before


@pytest.mark.both_databases
def test_what_one_that_was_away_brings_is_asked_of_nobody_else(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    """It kept three while nobody heard of it. One is not asked of another any more, two are there already: eleven came
    of nine, and nothing counts twice."""
    made = collect(client, 9)
    for camera in cameras:
        hear(camera)
    cameras[0].post(f"/collections/{made.id}/kept", CaptureProgress(kept=0))
    clock.advance(12 * 3600)
    for camera in cameras[1:]:
        hear(camera)
    loop(lineside)
    lines = report(client, made)
    assert sorted(lines[camera.name].asked for camera in cameras) == [0, 4, 5]
    for n, camera in enumerate(cameras[1:]):
        for image in range(lines[camera.name].asked - 1 + n):  # the first has one to go, the second none
            send(camera, image, made.id)
            send(camera, image, made.id, again=True)
    told = {camera.name: collecting(camera) for camera in cameras}
    cameras[0].post(f"/collections/{made.id}/kept", CaptureProgress(kept=3))
    loop(lineside)
    lines = report(client, made)
    first, second, third = (lines[camera.name] for camera in cameras)
    assert (first.asked, second.asked) == (1, second.uploaded)
    assert third.asked == third.uploaded
    assert "last heard of" in first.why
    assert collecting(cameras[1]) != told["cam-1"]
    assert [asked(camera) for camera in cameras[1:]] == [[], []]
    for n in range(3):
        send(cameras[0], n, made.id)
    found = client.collection(made.id)
    assert (found.state, found.asked, found.kept, found.uploaded) == (CollectionState.COMPLETE, 9, 11, 11)


def fall_silent(client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock) -> Collection:
    """The first has kept its three of nine, and one of them came; then it is not heard of for half of the time."""
    made = collect(client, 9)
    for camera in cameras:
        hear(camera)
    send(cameras[0], 0, made.id)
    cameras[0].post(f"/collections/{made.id}/kept", CaptureProgress(kept=3))
    for seconds in (12 * 3600, 12 * 3600 - 1):  # what it has not kept would go to others after a quarter
        clock.advance(seconds)
        for camera in cameras[1:]:
            hear(camera)
        loop(lineside)
        assert {one.asked for one in client.collection(made.id).devices} == {3}
    clock.advance(1)
    loop(lineside)
    lines = report(client, made)
    assert (lines["cam-0"].asked, lines["cam-1"].asked, lines["cam-2"].asked) == (1, 4, 4)
    assert lines["cam-0"].why == (
        "It was last heard of at 2026-01-01T00:00:00.000Z: others were asked for all of its images that had not come."
    )
    return made


@pytest.mark.both_databases
def test_what_a_device_kept_that_never_comes_back_is_asked_of_others(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    made = fall_silent(client, cameras, lineside, clock)
    told = [collecting(camera) for camera in cameras[1:]]
    clock.advance(60)
    loop(lineside)
    assert [collecting(camera) for camera in cameras[1:]] == told  # once
    for camera in cameras[1:]:
        for n in range(4):
            send(camera, n, made.id)
    found = client.collection(made.id)
    assert (found.state, found.asked, found.uploaded) == (CollectionState.COMPLETE, 9, 9)


@pytest.mark.both_databases
def test_one_that_comes_back_with_what_it_kept_counts_once(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    """Nothing was kept for it elsewhere yet: it is asked of nobody else any more."""
    made = fall_silent(client, cameras, lineside, clock)
    hear(cameras[0])
    loop(lineside)
    assert {one.asked for one in client.collection(made.id).devices} == {3}
    assert [[part.count for part in asked(camera)] for camera in cameras] == [[3], [3], [3]]
    send(cameras[0], 0, made.id, again=True)
    for camera in cameras:
        for n in range(camera is cameras[0], 3):
            send(camera, n, made.id)
    found = client.collection(made.id)
    assert (found.state, found.asked, found.kept, found.uploaded) == (CollectionState.COMPLETE, 9, 9, 9)


def test_one_that_comes_back_when_others_have_kept_its_part_brings_more_than_was_asked(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    made = fall_silent(client, cameras, lineside, clock)
    for camera in cameras[1:]:
        camera.post(f"/collections/{made.id}/kept", CaptureProgress(kept=4))
    hear(cameras[0])
    loop(lineside)
    assert client.collection(made.id).asked == 9
    assert asked(cameras[0]) == []  # it keeps no more
    for n in (1, 2):
        send(cameras[0], n, made.id)
    for camera in cameras[1:]:
        for n in range(4):
            send(camera, n, made.id)
    found = client.collection(made.id)
    assert (found.state, found.asked, found.uploaded) == (CollectionState.COMPLETE, 9, 11)


def test_who_leaves_is_replaced_at_once(client: Client, cameras: list[TestDevice], lineside: Running) -> None:
    """What one that left the group has kept still comes; what a revoked one has kept does not."""
    made = collect(client, 9)
    for camera in cameras:
        hear(camera)
        camera.post(f"/collections/{made.id}/kept", CaptureProgress(kept=2))
    send(cameras[0], 0, made.id)
    client.remove_from_group("b", Which(devices=("cam-1",)))
    loop(lineside)
    lines = report(client, made)
    assert [lines[camera.name].asked for camera in cameras] == [4, 2, 3]
    assert lines["cam-1"].why == "It is not in b any more: others were asked for 1 of its images."
    assert asked(cameras[1]) == []
    client.revoke_device("cam-0", why="scrapped")
    loop(lineside)
    lines = report(client, made)
    assert (lines["cam-0"].asked, lines["cam-0"].uploaded) == (1, 1)
    assert (lines["cam-1"].asked, lines["cam-2"].asked) == (2, 6)
    assert lines["cam-0"].why.startswith("It is revoked")
    assert client.collection(made.id).asked == 9


def test_nobody_is_silent_while_the_control_plane_was_down(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    made = collect(client, 9)
    for camera in cameras:
        hear(camera)
    clock.advance(24 * 3600)
    started = Collections(lineside.core)
    hear(cameras[0])
    started.step()
    assert {one.asked for one in client.collection(made.id).devices} == {3}
    clock.advance(12 * 3600)
    hear(cameras[0])
    started.step()
    assert report(client, made)["cam-0"].asked == 9


def test_the_report_says_who_was_away_though_nobody_could_be_asked_instead(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    made = collect(client)
    hear(cameras[0])
    clock.advance(2 * 24 * 3600 + 1)
    loop(lineside)
    lines = report(client, made)
    assert lines["cam-0"].why.startswith("It was last heard of at 2026-01-01")
    assert lines["cam-1"].why == "It has not heard of the collection."


@pytest.mark.both_databases
def test_others_of_the_group_take_the_part_of_one_that_is_away(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    """Of three cameras one is asked for the single image; it is away, and another one that is there is asked. It has a
    while to hear of it."""
    made = collect(client, 1)
    (chosen,) = client.collection(made.id).devices
    clock.advance(12 * 3600)
    loop(lineside)
    assert client.collection(made.id).device_count == 1  # nobody is there
    there, other = (camera for camera in cameras if camera.name != chosen.device)
    collecting(there)
    loop(lineside)
    collecting(other)
    loop(lineside)
    lines = {one.device: one.asked for one in client.collection(made.id).devices}
    assert lines == {chosen.device: 0, there.name: 1}
    assert [part.count for part in asked(there)] == [1]
    send(there, 0, made.id)
    assert client.collection(made.id).state is CollectionState.COMPLETE


def test_only_who_was_asked_counts(client: Client, cameras: list[TestDevice], lineside: Running) -> None:
    made = collect(client)
    stranger = TestDevice.join(lineside, "stranger")
    send(stranger, 0, made.id)
    answer = stranger.post(f"/collections/{made.id}/kept", CaptureProgress(kept=7))
    assert answer.json()["error"]["code"] == "request.not_found"
    send(cameras[0], 0, made.id)
    assert client.collection(made.id).uploaded == 1


def test_cancelled_by_hand_once(client: Client, cameras: list[TestDevice]) -> None:
    made = collect(client)
    assert client.cancel_collection(made.id).state is CollectionState.CANCELLED
    assert asked(cameras[0]) == []
    with pytest.raises(LinesideError, match=r"^collection.over:"):
        client.cancel_collection(made.id)
    assert client.collections().total == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"group": "nobody"}, "group.unknown"),
        ({"until": "2025-12-31T00:00:00Z"}, "request.invalid"),
        ({"until": "tomorrow"}, "request.invalid"),
        ({"until": "2026-01-03T00:00:00"}, "request.invalid"),
        ({"count": 0}, "request.invalid"),
        ({"strategy": "all"}, "request.invalid"),
        ({"component": "../x"}, "request.invalid"),
    ],
)
def test_what_makes_no_sense_is_refused(client: Client, cameras: list[TestDevice], fields: Any, code: str) -> None:
    with pytest.raises(LinesideError, match=f"^{code}:"):
        collect(client, **fields)


@pytest.mark.both_databases
def test_a_schedule_begins_collections(
    client: Client, cameras: list[TestDevice], lineside: Running, clock: FakeClock
) -> None:
    document = CollectionSchedule(name="daily", schedule="0 6 * * *", hours=12, group="b", count=3)
    assert client.schedule_collection(document).next_at == "2026-01-01T06:00:00.000Z"
    loop(lineside)
    assert client.collections().total == 0
    clock.advance(3 * 24 * 3600)  # missed twice: begun once
    loop(lineside)
    loop(lineside)
    (made,) = client.collections().collections
    assert (made.schedule, made.request.until) == ("daily", "2026-01-04T12:00:00.000Z")
    assert client.collection_schedules()[0].last == made.id
    client.unschedule_collection("daily")
    assert client.collection_schedules() == []


def test_pages(lineside: Running, client: Client, cameras: list[TestDevice]) -> None:
    form = {"count": "4", "group": "b", "until": "2026-01-05"}
    answer = httpx.post(f"{lineside.people_url}/collections", data=form, follow_redirects=True)
    made = client.collections().collections[0]
    assert made.request.until == "2026-01-06T00:00:00.000Z"
    assert "cam-1" in answer.text
    send(cameras[1], 0, made.id)
    listed = httpx.get(f"{lineside.people_url}/captures", params={"request": made.id, "device": "cam-1"}).text
    assert "/devices/cam-1" in listed
    assert "No capture fits" in httpx.get(f"{lineside.people_url}/captures", params={"model": "none:1"}).text
    assert made.id in httpx.get(f"{lineside.people_url}/collections").text
    assert "requested" in httpx.get(f"{lineside.people_url}/captures/of/cam-1").text
    assert httpx.post(f"{lineside.people_url}/collections/{made.id}/cancel").status_code in (200, 303)
    assert client.collection(made.id).state is CollectionState.CANCELLED


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("friday", "2026-11-27T23:59:59+00:00"),
        ("Sun", "2026-11-22T23:59:59+00:00"),
        ("2026-11-30", "2026-11-30T23:59:59+00:00"),
        ("2026-11-30T08:00:00+01:00", "2026-11-30T08:00:00+01:00"),
        ("36h", "2026-11-24T00:00:00+00:00"),
    ],
)
def test_until_as_people_say_it(said: str, end: str) -> None:
    assert end_of(said, datetime(2026, 11, 22, 12, tzinfo=UTC)) == end
