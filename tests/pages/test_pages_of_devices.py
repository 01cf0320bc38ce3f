"""A device's page, by clicking: what is wrong with it, its components, its logs as they come, its diagnosis."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from lineside.client.own_component import add_component
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport
from lineside.contract.histogram import latency_step
from lineside.contract.inquiry import CheckResult, Inquiry, InquiryKind, InquiryPart, LivePicture
from lineside.contract.reported import ComponentState, ReportedComponent, Usage
from lineside.contract.result import Detection
from lineside.contract.telemetry import Machine, SourceTelemetry, Telemetry
from lineside.server.clock import rfc3339
from lineside.server.testing import until
from lineside.server.testing_device import TestDevice
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

HOT = ErrorReport(code="device.too_hot", message="cpu is at 92 °C.", next="Look at the device's fan.")
ALARM = {"subject": "source cam", "code": "source.away", "message": "It is gone.", "next": "Look at its power."}
BROKEN = ErrorReport(code="component.broken", message="It failed 3 times in a row.", next="See its log.")
SERIES = {"unit": "Count", "count": 4, "mean": 5.5, "min": 2, "max": 9, "last": 7}
RECIPE = """
RecipeFormatVersion: "2020-01-25"
ComponentName: com.example.Counter
ComponentVersion: 1.2.0
ComponentDescription: Counts parts
Manifests: [{Lifecycle: {Run: "true"}, Artifacts: [{URI: "s3://BUCKET_NAME/count.py"}]}]
"""


@pytest.fixture(scope="session")
def station(house: House, tmp_path_factory: pytest.TempPathFactory) -> TestDevice:
    """A hot device that runs one broken component, which was added by a person."""
    folder = tmp_path_factory.mktemp("counter")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "count.py").write_bytes(b"print(1)\n" * 300)
    add_component(house.client, folder / "recipe.yaml")
    device = TestDevice.join(house.lineside, "station-9", group="line-9")
    spec = ComponentSpec(component_version="1.2.0")
    house.client.deploy(DeploymentDocument(group_name="line-9", components={"com.example.Counter": spec}))

    def told() -> Desired | None:
        house.tick()
        desired = msgspec.json.decode(device.get("/desired").content, type=Desired)
        return desired if desired.components else None

    desired: Desired = until(told)
    (wanted,) = desired.components
    running = ReportedComponent(
        name=wanted.name,
        version="1.1.0",
        recipe_digest="sha256:" + "0" * 64,
        state=ComponentState.BROKEN,
        restarts=3,
        error=BROKEN,
        usage=Usage(cpu_percent=12.34, memory_bytes=48_500_000),
        limits="cgroup v2",
        probe={"alarms": [ALARM]},
    )
    metrics = {"app": {"parts": SERIES}}
    facts = {"disk_free_bytes": 3_200_000_000, "uptime_seconds": 200_000, "metrics": metrics}
    device.report(revision=desired.revision, running=(running,), conditions=(HOT,), facts=facts).raise_for_status()
    return device


def asked(device: TestDevice) -> list[Inquiry]:
    return msgspec.json.decode(device.get("/inquiries").content, type=list[Inquiry])


def say(device: TestDevice, inquiry: Inquiry, part: InquiryPart) -> int:
    return device.post(f"/inquiries/{inquiry.id}/parts", part).status_code


def test_what_is_wrong_stands_first_and_components_beside_what_is_wanted(
    page: Page, house: House, station: TestDevice, screenshots: Path
) -> None:
    open_page(page, house, "/devices/station-9")
    expect(page.locator("#live > .error", has_text="device.too_hot")).to_contain_text("Next: Look at the device's fan.")
    alarm = page.locator("#live > .error", has_text="source.away")
    expect(alarm).to_contain_text("com.example.Counter, source cam: It is gone.Next: Look at its power.")
    row = page.locator("tr", has=page.get_by_role("link", name="com.example.Counter"))
    for words in ("1.2.0", "1.1.0", "BROKEN", "12.3 %", "48.5 MB", "cgroup v2", "differs"):
        expect(row).to_contain_text(words)
    expect(page.locator("tr.why")).to_contain_text("component.broken It failed 3 times in a row.Next: See its log.")
    facts = page.locator("dl.facts", has_text="disk free")
    expect(facts).to_contain_text("disk free3.2 GB")
    expect(facts).to_contain_text("uptime2 days")
    expect(facts).to_contain_text("metrics app parts7 Count (4 values, mean 5.5, 2 to 9)")
    keep(page, screenshots, "device-broken")


def test_what_is_wrong_with_a_device_needs_a_person(page: Page, house: House, station: TestDevice) -> None:
    open_page(page, house, "/devices")
    expect(page.locator("tr", has_text="station-9")).to_contain_text("device.too_hot source.away")
    open_page(page, house, "/")
    page.locator(".needs").get_by_role("link", name="station-9: cpu is at 92 °C. (and 1 more)").click()
    expect(page.locator("h1")).to_contain_text("station-9")
    assert any(event.error == HOT for event in house.client.events().events)


def test_a_diagnosis_appears_check_by_check(page: Page, house: House, station: TestDevice, screenshots: Path) -> None:
    open_page(page, house, "/devices/station-9")
    page.get_by_role("button", name="Diagnose").click()
    checks = page.locator("#diagnosis .checks")
    expect(checks).to_contain_text("waiting for station-9…")
    (inquiry,) = until(lambda: asked(station))
    disk = CheckResult(name="disk", ok=True, sentence="There is <b>room</b>.", next="never shown")
    say(station, inquiry, InquiryPart(number=0, checks=(disk,)))
    expect(checks.locator("li.good")).to_have_text("diskThere is <b>room</b>.")
    clock = CheckResult(name="clock", ok=False, sentence="It is 3 years off.", next="Set it.")
    say(station, inquiry, InquiryPart(number=1, checks=(clock,), done=True))
    expect(checks.locator("li.bad")).to_have_text("clockIt is 3 years off.Next: Set it.")
    expect(checks).to_contain_text("That was all.")
    expect(checks.locator("li")).to_have_count(3)
    keep(page, screenshots, "device-diagnosis")


def test_a_log_is_shown_as_it_comes_until_it_is_stopped(
    page: Page, house: House, station: TestDevice, screenshots: Path
) -> None:
    open_page(page, house, "/devices/station-9")
    page.get_by_label("Whose log").select_option("com.example.Counter")
    page.get_by_label("Lines to begin with").fill("5")
    page.get_by_role("button", name="Show").click()
    (inquiry,) = until(lambda: asked(station))
    assert (inquiry.request.component, inquiry.request.lines, inquiry.request.follow) == (
        "com.example.Counter",
        5,
        True,
    )
    log = page.locator("#logs .log")
    say(station, inquiry, InquiryPart(number=0, text="counted 1\n  <i>in</i> \x1b[31mred\n"))
    expect(log).to_contain_text("counted 1\n  <i>in</i> [31mred\n", use_inner_text=True)
    say(station, inquiry, InquiryPart(number=1, text="counted 2\n"))
    expect(log).to_contain_text("counted 2")
    assert log.inner_text().count("counted 1") == 1
    keep(page, screenshots, "device-log")
    page.get_by_role("button", name="Stop").click()
    until(lambda: not asked(station))
    assert say(station, inquiry, InquiryPart(number=2, text="counted 3\n")) == 409
    expect(log.locator(".waiting")).to_have_count(0)


def test_an_answer_that_failed_says_why(page: Page, house: House, station: TestDevice) -> None:
    open_page(page, house, "/devices/station-9")
    page.get_by_label("follow").uncheck()
    page.get_by_role("button", name="Show").click()
    (inquiry,) = until(lambda: asked(station))
    assert (inquiry.request.component, inquiry.request.follow) == (None, False)
    error = ErrorReport(code="inquiry.failed", message="The disk is gone.", next="Look at it.")
    say(station, inquiry, InquiryPart(number=0, error=error, done=True))
    expect(page.locator("#logs .error")).to_contain_text("The disk is gone.Next: Look at it.")


@pytest.fixture(scope="module")
def camera(house: House) -> TestDevice:
    """A device that runs a model and has told of three hours."""
    device = TestDevice.join(house.lineside, "camera-7")
    running = ReportedComponent(
        name="tags.inference", version="1.0.0", recipe_digest="sha256:" + "0" * 64, state=ComponentState.RUNNING
    )
    device.report(revision=0, running=(running,)).raise_for_status()
    now = house.lineside.core.clock.now()
    for minute in range(40):
        message = Telemetry(
            device="camera-7",
            component="tags.inference",
            number=minute,
            at=rfc3339(now - timedelta(minutes=40 - minute)),
            seconds=60.0,
            sources={"line": a_minute(minute)},
            machine=Machine(memory_mb=88 + minute / 10, temperature_celsius=55 + minute / 4),
        )
        house.lineside.apps.on_result("camera-7", msgspec.json.encode(message))
    return device


def a_minute(minute: int) -> SourceTelemetry:
    frames, step = 1500 + 20 * (minute % 7), latency_step(9.0)
    latency = {step: frames - 90, step + 3: 70, step + 9: 20}
    return SourceTelemetry(decided=frames, skipped={"superseded": 60 + minute}, waiting=minute % 3, latency=latency)


def test_how_a_device_does_is_drawn_as_curves(page: Page, house: House, camera: TestDevice, screenshots: Path) -> None:
    open_page(page, house, "/devices/camera-7")
    told = page.locator(".telemetry")
    expect(told.locator(".u-title")).to_have_text(
        ["Images a second", "Latency, ms", "Left out a second", "In the queue", "Temperature, °C", "Memory, MB"]
    )
    expect(told).to_contain_text("Left out in this time: superseded")
    assert int(told.get_attribute("data-points") or 0) >= 38
    keep(page, screenshots, "device-telemetry")


def test_a_live_picture_shows_what_was_found_while_somebody_looks(
    page: Page, house: House, camera: TestDevice, screenshots: Path
) -> None:
    open_page(page, house, "/devices/camera-7")
    page.get_by_role("button", name="Look").click()
    live = page.locator("#live-picture")
    expect(live).to_contain_text("waiting for camera-7…")
    (inquiry,) = until(lambda: asked(camera))
    assert (inquiry.request.kind, inquiry.request.component) == (InquiryKind.PICTURE, "tags.inference")
    say(camera, inquiry, InquiryPart(number=0))
    expect(live).to_contain_text("no image came yet…")
    say(camera, inquiry, InquiryPart(number=1, picture=a_picture("line/000041")))
    expect(live.locator("figcaption")).to_contain_text("line/000041")
    say(camera, inquiry, InquiryPart(number=2, picture=a_picture("line/000042")))
    expect(live.locator("figcaption")).to_contain_text("line/000042")
    expect(live.locator("rect.found")).to_have_count(1)
    assert live.locator("img").evaluate("image => image.naturalWidth") == 320
    keep(page, screenshots, "device-live")
    live.get_by_role("button", name="Stop").click()
    until(lambda: not asked(camera))
    expect(live).to_contain_text("Nobody looks any more.")


def a_picture(name: str) -> LivePicture:
    image = Image.new("RGB", (320, 180), (40, 60, 80))
    ImageDraw.Draw(image).rectangle((60, 40, 160, 120), fill=(220, 200, 90))
    data = io.BytesIO()
    image.save(data, "JPEG")
    dent = Detection(label="dent", class_index=0, confidence=0.93, x=240, y=160, width=400, height=320)
    return LivePicture(
        jpeg=data.getvalue(),
        source="line",
        image=name,
        captured_at="2026-01-01T00:00:00.000Z",
        width=1280,
        height=720,
        model="tags",
        version=3,
        latency_ms=8.5,
        detections=(dent,),
    )


def test_a_component_shows_its_recipe_who_signed_it_and_where_it_runs(
    page: Page, house: House, station: TestDevice, screenshots: Path
) -> None:
    open_page(page, house, "/components")
    page.get_by_role("link", name="com.example.Counter").click()
    expect(page.locator("h1")).to_have_text("com.example.Counter 1.2.0")
    expect(page.locator("tr", has_text="builders")).to_contain_text("tester")
    expect(page.locator("tr", has_text="count.py")).to_contain_text("2.7 kB")
    expect(page.locator("tr", has_text="station-9")).to_contain_text("does not run it")
    expect(page.locator("pre")).to_contain_text('"ComponentDescription": "Counts parts"')
    keep(page, screenshots, "component")
    page.get_by_role("link", name="station-9").click()
    expect(page.locator("h1")).to_contain_text("station-9")
