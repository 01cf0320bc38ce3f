"""Results: taken once each, the newest kept, what makes no sense counted."""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from lineside.client import Client
from lineside.contract.result import Detection, Result
from lineside.server.devices import checkin
from lineside.server.services import Core
from lineside.server.telemetry import store
from lineside.server.telemetry.service import ResultsService
from lineside.server.testing import FakeClock, Running, make_core
from lineside.server.testing_device import TestDevice
from tests.schema_versions import NEW, NEW_CAPTURES, write

DETECTION = Detection(label="dent", class_index=0, confidence=0.9, x=1, y=2, width=3, height=4)


def result(sequence: int = 1, device: str = "cam-1", **fields: Any) -> Result:
    values = {
        "device": device,
        "model": "tags",
        "version": 1,
        "digest": "sha256:0",
        "image": "a.jpg_0",
        "captured_at": "2026-01-01T00:00:00.000Z",
        "sequence": sequence,
        "width": 450,
        "height": 300,
        "latency_ms": 7.5,
        "detections": (DETECTION,),
    }
    return Result(**values | fields)


def payload(*args: Any, **fields: Any) -> bytes:
    return msgspec.json.encode(result(*args, **fields))


@pytest.fixture
def results(core: Core) -> ResultsService:
    return ResultsService(core)


def sequences(
    results: ResultsService, after: int | None = None, device: str | None = None, limit: int = 100
) -> list[int]:
    return [stored.result.sequence for stored in results.page(after, device, limit).results]


def test_a_result_is_kept_as_it_came_once(results: ResultsService) -> None:
    for _ in range(3):  # MQTT QoS 1 may deliver again
        results.receive("cam-1", payload())
    page = results.page(None, None, 10)
    assert (page.total, page.results[0].result) == (1, result())


def test_one_number_with_other_content_is_another_result(results: ResultsService) -> None:
    results.receive("cam-1", payload(1))
    results.receive("cam-1", payload(1, image="b.jpg"))  # a device that lost its counter
    assert results.page(None, None, 10).total == 2


def test_pages_go_on_after_an_id(results: ResultsService) -> None:
    results.take([(device, payload(n, device)) for n in range(1, 8) for device in ("cam-1", "cam-2")])
    assert sequences(results, device="cam-2", limit=3) == [5, 6, 7]
    first = results.page(0, "cam-1", 4)
    assert [stored.result.sequence for stored in first.results] == [1, 2, 3, 4]
    assert sequences(results, after=first.results[-1].id, device="cam-1") == [5, 6, 7]
    assert results.page(None, None, 1).total == 14
    assert results.counts() == {"cam-1": 7, "cam-2": 7}


def test_only_the_newest_of_a_device_are_kept(tmp_path: Any, clock: FakeClock) -> None:
    core = make_core(tmp_path / "small", clock, results_kept=5)
    results = ResultsService(core)
    results.receive("cam-2", payload(1, "cam-2"))
    for n in range(1, 13):
        results.receive("cam-1", payload(n))
    assert sequences(results, device="cam-1") == [8, 9, 10, 11, 12]
    assert sequences(results, device="cam-2") == [1]
    core.database.close()


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"{}",
        b"[" * 100_000,
        payload(device="cam-9"),
        payload(schema="lineside.result/x"),
        payload(-1),
        payload(2**63),
        payload(width=0),
        payload(detections=(msgspec.structs.replace(DETECTION, confidence=1.5),)),
        payload(image="x" * (300 << 10)),
    ],
)
def test_what_makes_no_sense_is_counted_with_one_event(core: Core, results: ResultsService, bad: bytes) -> None:
    for _ in range(3):
        results.receive("cam-1", bad)
    results.receive("cam-1", payload())
    assert results.page(None, None, 10).total == 1
    assert results.refused() == {"cam-1": 3}
    with core.database.read() as session:
        events = core.events.page(session, before=None, kind="result.refused", limit=9).events
    assert [(event.subject, event.error.code) for event in events if event.error] == [("cam-1", "result.invalid")]


def test_many_threads_lose_nothing_and_share_transactions(
    results: ResultsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, sizes = store.add_results, list[int]()

    def counted(session: Any, rows: Any) -> Any:
        sizes.append(len(rows))
        return add(session, rows)

    monkeypatch.setattr(store, "add_results", counted)

    def publish(device: str) -> None:
        for n in range(50):
            results.receive(device, payload(n, device))

    threads = [threading.Thread(target=publish, args=(f"cam-{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.page(None, None, 1).total == sum(sizes) == 800
    assert len(sizes) < 800


def test_what_cannot_be_stored_keeps_no_other_from_it(results: ResultsService, monkeypatch: pytest.MonkeyPatch) -> None:
    add = store.add_results

    def picky(session: Any, rows: Any) -> Any:
        if any(row["device"] == "cam-9" for row in rows):
            raise ValueError("not this one")
        return add(session, rows)

    monkeypatch.setattr(store, "add_results", picky)
    failures: list[str] = []

    def publish(device: str) -> None:
        try:
            results.receive(device, payload(1, device))
        except ValueError:
            failures.append(device)

    threads = [threading.Thread(target=publish, args=(device,)) for device in ("cam-1", "cam-9", "cam-2")]
    with results._writing:
        for thread in threads:
            thread.start()
        while len(results._waiting) < len(threads):
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert failures == ["cam-9"]
    assert sorted(results.counts()) == ["cam-1", "cam-2"]


def test_numbers_go_beyond_what_32_bits_hold(results: ResultsService) -> None:
    results.receive("cam-1", payload(2**40))
    assert sequences(results) == [2**40]


def test_when_the_disk_fails_nobody_believes_it_was_stored(core: Core, results: ResultsService) -> None:
    with core.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE results RENAME TO away")
    failures: list[str] = []

    def publish(n: int) -> None:
        try:
            results.receive("cam-1", payload(n))
        except DBAPIError:
            failures.append("failed")

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == ["failed"] * 8
    with core.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO results")
    results.receive("cam-1", payload(1))
    assert results.page(None, None, 1).total == 1


def test_from_the_broker_to_the_client(lineside: Running) -> None:
    lineside.apps.on_result("cam-1", payload(1))
    lineside.apps.on_result("cam-1", payload(2))
    client = Client(lineside.people_url)
    page = client.results()
    assert [stored.result for stored in page.results] == [result(1), result(2)]
    assert [stored.result.sequence for stored in client.results(after=page.results[0].id, device="cam-1").results] == [
        2
    ]
    assert client.results(device="cam-2").total == 0


def test_results_of_a_quarantined_device_are_kept_and_marked(lineside: Running) -> None:
    TestDevice.join(lineside, "cam-1")
    client = Client(lineside.people_url)
    lineside.apps.on_result("cam-1", payload(1))
    client.quarantine_device("cam-1", why="it sees dents everywhere")
    lineside.apps.on_result("cam-1", payload(2))
    found = client.results(device="cam-1").results
    assert [(one.result.sequence, one.quarantined) for one in found] == [(1, False), (2, True)]


def test_a_version_of_the_schema_that_is_not_read_is_refused_with_what_is(core: Core, results: ResultsService) -> None:
    results.receive("cam-1", payload(schema="lineside.result/9"))
    with core.database.read() as session:
        (event,) = core.events.page(session, before=None, kind="result.refused", limit=9).events
    assert event.error is not None
    assert event.error.code == "result.version_unread"
    assert "in version 9" in event.error.message
    assert "reads 1" in event.error.message
    assert "lineside devices show cam-1" in event.error.next


def test_a_newer_control_plane_reads_both_versions_and_stores_the_same(core: Core) -> None:
    newer = ResultsService(core, NEW)
    newer.receive("cam-1", payload(1))
    newer.receive("cam-1", write(result(2)))
    newer.receive("cam-1", write(result(1)))  # the same again, in the words of the next version
    assert [stored.result for stored in newer.page(0, None, 9).results] == [result(1), result(2)]


def test_fields_that_are_not_known_are_passed_over(results: ResultsService) -> None:
    results.receive("cam-1", msgspec.json.encode(msgspec.to_builtins(result()) | {"mood": "good"}))
    assert [stored.result for stored in results.page(0, None, 9).results] == [result()]


def test_devices_are_told_which_versions_are_taken_with_every_answer(
    lineside: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = TestDevice.join(lineside, "cam-1")
    first = camera.get("/desired")
    assert (first.headers["Lineside-Results"], first.headers["Lineside-Captures"]) == ("1", "1")
    monkeypatch.setattr(checkin, "RESULTS", NEW)
    monkeypatch.setattr(checkin, "CAPTURES", NEW_CAPTURES)
    again = camera.get("/desired", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["Lineside-Results"]) == (304, "1, 2")
    assert again.headers["Lineside-Captures"] == "1, 2"
