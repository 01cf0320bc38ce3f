"""Events: newest first, in pages, by kind; and every error of the API has one shape."""

from __future__ import annotations

import httpx
import pytest

from lineside.contract.errors import ErrorReport
from lineside.server.testing import FakeClock, Running


def test_pages_of_events(lineside: Running, clock: FakeClock) -> None:
    with lineside.core.database.write() as session:
        for number in range(5):
            kind = "model.approved" if number % 2 else "device.joined"
            error = ErrorReport(code="a.b", message="c") if number == 4 else None
            lineside.core.events.record(session, kind=kind, subject=f"s{number}", message="m", actor="ann", error=error)
    url = f"{lineside.people_url}/api/v1/events"
    first = httpx.get(url, params={"limit": 2}).json()
    assert ([event["subject"] for event in first["events"]], first["total"]) == (["s4", "s3"], 5)
    assert first["events"][0]["error"]["code"] == "a.b"
    assert first["events"][0]["at"] == "2026-01-01T00:00:00.000Z"
    after = httpx.get(url, params={"before": first["events"][-1]["id"]}).json()
    assert [event["subject"] for event in after["events"]] == ["s2", "s1", "s0"]
    for kind, count in (("model", 2), ("model.approved", 2), ("mod", 0), ("device.joined", 3)):
        assert httpx.get(url, params={"kind": kind}).json()["total"] == count


def test_every_refusal_has_the_same_shape(lineside: Running) -> None:
    api = f"{lineside.people_url}/api/v1"
    answers = {
        "request.no_such_path": httpx.get(f"{lineside.people_url}/nowhere"),
        "request.wrong_method": httpx.post(f"{api}/events"),
        "request.invalid": httpx.get(f"{api}/events", params={"limit": "many"}),
        "request.not_found": httpx.get(f"{api}/devices/ghost"),
        "request.too_large": httpx.post(f"{api}/devices/tokens", content=b" " * (33 << 20)),
    }
    assert {code: answer.json()["error"]["code"] for code, answer in answers.items()} == {
        code: code for code in answers
    }
    assert [answer.status_code for answer in answers.values()] == [404, 405, 400, 404, 413]
    for body in (b"{", b"[]", b'{"uses": "x"}', b"\xff"):
        answer = httpx.post(f"{api}/devices/tokens", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request.invalid")


@pytest.mark.both_databases
def test_words_that_a_database_would_not_take_are_kept_all_the_same(lineside: Running) -> None:
    """A device says what its component printed: that must never keep its report from being stored."""
    with lineside.core.database.write() as session:
        lineside.core.events.record(session, kind="device.error", subject="s\0", message="it printed \0")
    (event,) = httpx.get(f"{lineside.people_url}/api/v1/events").json()["events"]
    assert (event["subject"], event["message"]) == (
        "s\N{REPLACEMENT CHARACTER}",
        "it printed \N{REPLACEMENT CHARACTER}",
    )


@pytest.mark.both_databases
def test_a_value_that_cannot_be_stored_is_no_failure_of_ours(lineside: Running) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/devices", params={"q": "a\0", "group": "\0"})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or answer.json()["error"]["code"] == "request.invalid"
