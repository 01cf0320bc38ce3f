"""Desired documents and reports: numbered, idempotent, and what "healthy" means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import httpx
import msgspec
import pytest

from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.device import Device
from lineside.contract.errors import ErrorReport
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent, ReportsRequest
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running
from lineside.server.testing_device import TestDevice

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def wanted(digest: str = A) -> DesiredComponent:
    return DesiredComponent(name="m.model", version="1.0.0", target="models/m.json", recipe_digest=digest)


def runs(digest: str = A, state: ComponentState = ComponentState.RUNNING, **fields: object) -> ReportedComponent:
    return msgspec.structs.replace(
        ReportedComponent(name="m.model", version="1.0.0", recipe_digest=digest, state=state), **fields
    )


def set_desired(core: Core, device: str, *components: DesiredComponent, deployment: str = "d-1") -> int:
    with core.database.write() as session:
        documents = DesiredDocuments(core)
        documents.set_many(session, [device], components, deployment)
        return documents.desired(session, device).revision


def shown(lineside: Running, name: str = "cam-1") -> Device:
    return msgspec.json.decode(httpx.get(f"{lineside.people_url}/api/v1/devices/{name}").content, type=Device)


def event_kinds(lineside: Running) -> list[str]:
    page = httpx.get(f"{lineside.people_url}/api/v1/events", params={"kind": "device"}).json()
    return [event["kind"] for event in page["events"]]


def test_the_same_content_keeps_its_revision(lineside: Running) -> None:
    TestDevice.join(lineside, "cam-1")
    other = DesiredComponent(name="a.app", version="1.0.0", target="apps/a.json", recipe_digest=B)
    assert set_desired(lineside.core, "cam-1", wanted(), other) == 1
    assert set_desired(lineside.core, "cam-1", other, wanted()) == 1
    assert set_desired(lineside.core, "cam-1", wanted(B)) == 2
    assert set_desired(lineside.core, "cam-1", wanted(), other) == 3


def test_a_hint_follows_the_commit_and_only_the_commit(core: Core, lineside: Running) -> None:
    hinted: list[str] = []

    class Recorder:
        def hint_all(self, devices: Sequence[str]) -> None:
            hinted.extend(devices)

        def hint(self, device: str) -> None:
            hinted.append(device)

        def drop(self, device: str, serial: str | None = None) -> None: ...

    core = replace(lineside.core, hints=Recorder())
    TestDevice.join(lineside, "cam-1")

    def fail() -> None:
        with core.database.write() as session:
            DesiredDocuments(core).set_many(session, ["cam-1"], [wanted()], "d-1")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert hinted == []
    set_desired(core, "cam-1", wanted())
    set_desired(core, "cam-1", wanted())
    assert hinted == ["cam-1"]


def test_an_unchanged_document_costs_nothing(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    first = device.get("/desired")
    document = msgspec.json.decode(first.content, type=Desired)
    assert (document.revision, document.components, document.poll_seconds) == (0, (), 30.0)
    again = device.get("/desired", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    set_desired(lineside.core, "cam-1", wanted())
    changed = device.get("/desired", headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"][:4]) == (200, '"r1-')


def test_healthy_is_recomputed_from_what_runs(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    revision = set_desired(lineside.core, "cam-1", wanted())
    assert (shown(lineside).healthy, shown(lineside).summary) == (False, "waiting")
    device.report(revision=revision, phase=Phase.INSTALLING)
    assert shown(lineside).summary == "installing"
    device.report(revision=revision, running=(runs(B),))  # claims to be healthy with something else
    assert (shown(lineside).healthy, shown(lineside).summary) == (False, "different")
    device.report(revision=revision, running=(runs(state=ComponentState.BROKEN),))
    assert not shown(lineside).healthy
    device.report(revision=revision, running=(runs(),))
    assert (shown(lineside).healthy, shown(lineside).summary) == (True, "healthy")
    set_desired(lineside.core, "cam-1", wanted(B))
    assert (shown(lineside).healthy, shown(lineside).summary) == (False, "waiting")


def test_reports_are_stored_once_and_the_newest_wins(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")

    def report(sequence: int, phase: Phase) -> Report:
        return Report(device="cam-1", sequence=sequence, at="2026-01-01T00:00:00.000Z", revision=1, phase=phase)

    both = ReportsRequest(reports=(report(5, Phase.FAILED), report(4, Phase.FETCHING)))
    assert device.post("/reports", both).json() == {"accepted": 5}
    assert device.post("/reports", both).json() == {"accepted": 5}
    assert device.post("/reports", ReportsRequest(reports=(report(3, Phase.IDLE),))).json() == {"accepted": 5}
    last = shown(lineside).report
    assert last is not None
    assert last.phase is Phase.FAILED
    assert event_kinds(lineside).count("device.failed") == 1


def test_a_refusal_on_a_device_is_seen_once(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    error = ErrorReport(code="trust.signature", message="not signed")
    for _ in range(3):
        device.report(revision=1, phase=Phase.REFUSED, error=error)
    device.report(revision=1, phase=Phase.REFUSED, running=(runs(error=ErrorReport(code="x.y", message="z")),))
    assert event_kinds(lineside)[:3] == ["device.error", "device.refused", "device.error"]
    assert shown(lineside).summary == "refused"


def test_a_device_speaks_for_itself_only(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    TestDevice.join(lineside, "cam-2")
    report = Report(device="cam-2", sequence=1, at="2026-01-01T00:00:00.000Z", revision=0, phase=Phase.IDLE)
    answer = device.post("/reports", ReportsRequest(reports=(report,)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "auth.not_yours")
    assert device.post("/reports", ReportsRequest(reports=())).json()["error"]["code"] == "request.invalid"
    assert shown(lineside, "cam-2").report is None


@pytest.mark.parametrize("number", [{"sequence": -1}, {"sequence": 2**31}, {"revision": 2**31}, {"revision": -1}])
def test_a_number_that_no_column_holds_is_refused(lineside: Running, number: dict[str, int]) -> None:
    device = TestDevice.join(lineside, "cam-1")
    fields = {"sequence": 1, "revision": 0} | number
    report = Report(device="cam-1", at="2026-01-01T00:00:00.000Z", phase=Phase.IDLE, **fields)
    answer = device.post("/reports", ReportsRequest(reports=(report,)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request.invalid")
    assert shown(lineside).report is None


def test_a_silent_device_is_offline_until_it_asks(lineside: Running, clock: FakeClock) -> None:
    device = TestDevice.join(lineside, "cam-1")
    clock.advance(121)
    assert shown(lineside).summary == "offline"
    device.get("/desired")
    assert shown(lineside).summary == "idle"
