"""Alarms of components, as a model's runtime raises them: shown with the device, told as events, over when they end."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from lineside.contract.errors import ErrorReport
from lineside.contract.event import Event, EventPage
from lineside.contract.reported import ComponentState, ReportedComponent
from lineside.server.devices.store import DeviceRow
from lineside.server.testing import Running
from lineside.server.testing_device import TestDevice

pytestmark = pytest.mark.both_databases

REFUSED = {
    "subject": "model tags.model",
    "code": "golden.mismatched",
    "message": "The model does not decide.",
    "next": "Deploy the one before.",
    "since": "2026-01-01T00:00:00.000Z",
}
AWAY = {"subject": "source cam", "code": "source.away", "message": "It is gone.", "next": "Look at its power."}


def runtime(*alarms: Any, **said: object) -> ReportedComponent:
    probe = {"state": "ready", "alarms": list(alarms), **said}
    return ReportedComponent(
        name="tags.inference", version="1.0.0", recipe_digest="", state=ComponentState.RUNNING, probe=probe
    )


def events(lineside: Running) -> list[Event]:
    """Of alarms, oldest first."""
    answer = httpx.get(f"{lineside.people_url}/api/v1/events", params={"kind": "device"})
    found = msgspec.json.decode(answer.content, type=EventPage).events
    return [one for one in reversed(found) if one.kind.startswith("device.alarm")]


def troubles(lineside: Running) -> int:
    with lineside.core.database.read() as session:
        return session.get_one(DeviceRow, "cam-1").conditions


def test_a_model_that_was_refused_is_seen_by_people(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    device.report(revision=1, running=(runtime(REFUSED),)).raise_for_status()
    (event,) = events(lineside)
    words = "tags.inference, model tags.model: The model does not decide."
    assert (event.kind, event.subject, event.actor, event.message) == ("device.alarm", "cam-1", "cam-1", words)
    params = {"component": "tags.inference", "subject": "model tags.model", "since": "2026-01-01T00:00:00.000Z"}
    assert event.error == ErrorReport(
        code="golden.mismatched", message=words, next="Deploy the one before.", params=params
    )
    page = httpx.get(f"{lineside.people_url}/devices/cam-1").text
    for part in ("golden.mismatched", words, "Next: Deploy the one before.", "2026-01-01 00:00:00"):
        assert part in page
    assert "golden.mismatched" in httpx.get(f"{lineside.people_url}/devices").text
    assert troubles(lineside) == 1


def test_each_is_told_once_and_so_is_its_end(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    for said in ((runtime(REFUSED, seen=1),), (runtime(REFUSED, seen=2),), (runtime(REFUSED, AWAY),)):
        device.report(revision=1, running=said).raise_for_status()
    device.report(revision=2, running=(runtime(REFUSED, AWAY),)).raise_for_status()
    assert [one.error.code for one in events(lineside) if one.error] == ["golden.mismatched", "source.away"]
    device.report(revision=2, running=(runtime(AWAY),)).raise_for_status()
    last = events(lineside)[-1]
    assert (last.kind, last.error) == ("device.alarm_over", None)
    assert last.message == "tags.inference, model tags.model: golden.mismatched is over"
    device.report(revision=2).raise_for_status()  # it runs no more
    assert [one.kind for one in events(lineside)][-1] == "device.alarm_over"
    assert len(events(lineside)) == 4
    assert troubles(lineside) == 0


@pytest.mark.parametrize("said", [None, "x", {"a": 1}, [1, None, {}], [{"subject": "s", "code": 5}]])
def test_what_a_foreign_component_calls_alarms_does_no_harm(lineside: Running, said: object) -> None:
    device = TestDevice.join(lineside, "cam-1")
    one = msgspec.structs.replace(runtime(), probe={"alarms": said})
    device.report(revision=1, running=(one,)).raise_for_status()
    assert events(lineside) == []
    assert httpx.get(f"{lineside.people_url}/devices/cam-1").status_code == 200


def test_what_an_alarm_says_is_text_on_a_page(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    bad = {"subject": "<b>", "code": "x\0y", "message": "<script>" * 1000}
    device.report(revision=1, running=(runtime(bad),)).raise_for_status()
    page = httpx.get(f"{lineside.people_url}/devices/cam-1").text
    assert "<script><script>" not in page
    assert "&lt;script&gt;&lt;script&gt;" in page
    assert len(events(lineside)) == 1
