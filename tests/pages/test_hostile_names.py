"""Names and texts that devices and files bring are shown and never run (stored XSS), on every page, in a real browser.

What is planted would add an element or run a script; a page that lets one of them through has the element, or breaks
its Content-Security-Policy, which the browser complains of.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from playwright.sync_api import Page

from lineside.client import Client
from lineside.client.folder import upload_folder
from lineside.contract.capture import CaptureRecord, Ticket
from lineside.contract.device import JoinRequest, JoinTokenRequest
from lineside.contract.errors import ErrorReport
from lineside.contract.export import ExportRecord
from lineside.contract.ids import digest_of
from lineside.contract.inquiry import CheckResult, InquiryKind, InquiryPart, InquiryRequest
from lineside.contract.reported import ComponentState, ReportedComponent
from lineside.contract.result import Detection, Result
from lineside.contract.run import CurvePoint, RunRequest, StepReport, StepState
from lineside.server.testing import Running, running
from lineside.server.testing_device import TestDevice, make_csr, make_key
from tests.pages.story import labelled_folder, picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

EVIL = """'"><b data-owned></b><img data-owned src=x onerror="document.title='owned'"><script>document.title='owned'"""
LINK = "javascript:document.title='owned'"
MOST_PAGES = 80


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A control plane in which everything that a device or a file may name is named by an attacker."""
    folder = tmp_path_factory.mktemp("hostile")
    with running(folder / "root") as lineside:
        device = TestDevice.join(lineside, "station-1", group="line-1")
        _reports(device)
        _results(lineside, device)
        _uploads(device)
        _answers(lineside, device)
        _data(lineside, folder)
        yield lineside


def _reports(device: TestDevice) -> None:
    error = ErrorReport(code="component.broken", message=EVIL, next=EVIL, params={"name": EVIL, EVIL: EVIL})
    component = ReportedComponent(
        name=EVIL,
        version=EVIL,
        recipe_digest=EVIL,
        state=ComponentState.BROKEN,
        error=error,
        probe={EVIL: EVIL, "golden": EVIL},
        artifacts={EVIL: EVIL},
        limits=EVIL,
    )
    facts = {
        "hostname": EVIL,
        "os": EVIL,
        "model": LINK,
        EVIL: EVIL,
        "metrics": {EVIL: {EVIL: {"unit": EVIL, "count": 1, "mean": 1, "min": 1, "max": 1, "last": 1}}},
    }
    device.report(revision=0, running=(component,), error=error, conditions=(error,), facts=facts).raise_for_status()


def _results(lineside: Running, device: TestDevice) -> None:
    found = Detection(label=EVIL, class_index=0, confidence=0.9, x=1, y=1, width=9, height=9)
    result = Result(
        device=device.name,
        model=EVIL,
        version=1,
        digest=EVIL,
        image=EVIL,
        captured_at="2026-01-01T00:00:00.000Z",
        sequence=1,
        width=240,
        height=160,
        latency_ms=1.0,
        detections=(found,),
    )
    lineside.apps.on_result(device.name, msgspec.json.encode(result))
    data = picture(1)
    record = CaptureRecord(
        id="capture-1",
        device=device.name,
        digest=digest_of(data),
        size=len(data),
        content_type="image/png",
        strategy="uncertain",  # a strategy must be a name
        reason=EVIL,
        captured_at=result.captured_at,
        result=result,
    )
    ticket = msgspec.json.decode(device.post("/captures", record).raise_for_status().content, type=Ticket)
    device.request("PUT", ticket.url.removeprefix("/device/v1"), content=data).raise_for_status()


def _uploads(device: TestDevice) -> None:
    """A page of HTML that calls itself by a hostile name: its bytes are what an attacker would like to see opened."""
    data = f"<html>{EVIL}</script>".encode()
    record = ExportRecord(
        id="export-1",
        device=device.name,
        bucket=EVIL,
        key=f"{EVIL}.html",
        metadata={EVIL: EVIL},
        stream=EVIL,
        sequence=1,
        digest=digest_of(data),
        size=len(data),
        claimed_at="2026-01-01T00:00:00.000Z",
    )
    ticket = msgspec.json.decode(device.post("/exports", record).raise_for_status().content, type=Ticket)
    device.request("PUT", ticket.url.removeprefix("/device/v1"), content=data).raise_for_status()


def _answers(lineside: Running, device: TestDevice) -> None:
    client = Client(lineside.people_url)
    for kind in (InquiryKind.LOGS, InquiryKind.DIAGNOSE):
        inquiry = client.ask_device(device.name, InquiryRequest(kind=kind))
        check = CheckResult(name=EVIL, ok=False, sentence=EVIL, next=EVIL)
        part = InquiryPart(number=0, text=f"{EVIL}\n", checks=(check,), done=True)
        device.post(f"/inquiries/{inquiry.id}/parts", part).raise_for_status()


def _data(lineside: Running, folder: Path) -> None:
    """Images, classes and a run's messages; a file name may hold anything but a slash."""
    client = Client(lineside.people_url)
    images = labelled_folder(folder / "plates")
    labels = images / "annotations.json"
    first = images / "images" / "plate-0.png"
    name = f"{EVIL}.png".replace("/", "")
    first.rename(first.with_name(name))
    text = labels.read_text().replace('"plate-0.png"', msgspec.json.encode(name).decode())
    labels.write_text(text.replace('"scratch"', msgspec.json.encode(EVIL).decode()))
    dataset = upload_folder(client, images, "plates").version
    run = client.start_run(RunRequest(model="plates", dataset=dataset.id, trainer="compact"))
    client.claim_run("tests")
    for step in run.steps:
        done = msgspec.structs.replace(step, state=StepState.DONE, progress=1.0, message=EVIL)
        client.report_step(run.id, StepReport(step=done, curve=(CurvePoint(series=EVIL, epoch=1, value=1.0),)))


def _links(page: Page) -> set[str]:
    found = page.eval_on_selector_all(
        "a[href]", "all => all.map(one => new URL(one.getAttribute('href'), document.baseURI).href)"
    )
    assert not [one for one in found if one.startswith("javascript:")]
    return set(found)


def test_no_page_runs_what_a_device_or_a_file_is_called(page: Page, planted: Running) -> None:
    """Every page that a person can click to. What was planted is seen as text on several of them."""
    base = planted.people_url
    waiting, seen, shown = [f"{base}/", f"{base}/events", f"{base}/devices/station-1"], set(), []
    while waiting and len(seen) < MOST_PAGES:
        address = waiting.pop(0).partition("#")[0]
        if address in seen or not address.startswith(base) or urlsplit(address).path.startswith(("/api/", "/schema")):
            continue
        seen.add(address)
        if "text/html" not in httpx.get(address, follow_redirects=True).headers.get("Content-Type", ""):
            continue
        page.goto(address)
        assert page.locator("[data-owned]").count() == 0, address
        assert page.title() != "owned", address
        if "data-owned" in (page.locator("body").text_content() or ""):
            shown.append(urlsplit(address).path)
        waiting += sorted(_links(page) - seen)
    assert len(seen) >= 15, seen
    assert {"/devices/station-1", "/events"} <= set(shown)
    assert len(shown) >= 5, shown


def test_a_page_that_a_device_uploaded_is_a_download_and_no_page(planted: Running) -> None:
    digest = digest_of(f"<html>{EVIL}</script>".encode())
    answer = httpx.get(f"{planted.people_url}/api/v1/blobs/{digest}")
    assert answer.status_code == 200
    assert "html" not in answer.headers["Content-Type"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", [EVIL, "<b>", "a b", "../x", "a/b", "Ａ", "", "-x", "x" * 64])
def test_a_device_with_such_a_name_cannot_join(planted: Running, name: str) -> None:
    key = make_key()
    honest = make_csr(key, "station-2")
    token = Client(planted.people_url).create_join_token(JoinTokenRequest()).token
    request = JoinRequest(token=token, name=name, csr=honest)
    answer = httpx.post(f"{planted.device_url}/device/v1/join", content=msgspec.json.encode(request))
    assert answer.status_code == 400
    assert [one.name for one in Client(planted.people_url).devices()] == ["station-1"]
