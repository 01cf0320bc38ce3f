"""Pages of captures and collections in Chromium: filters and older pages, a collection by form, its report, its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from lineside.contract.collection import CaptureProgress, CollectionSchedule, CollectionState
from lineside.server.testing_device import TestDevice
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page
from tests.server.review.world import SCRATCH, made

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages"), pytest.mark.timeout(400)]

CAMERA, OTHER, GROUP = "yard-cam-1", "yard-cam-2", "yard"
TODAY = datetime.now(UTC)


@pytest.fixture(scope="module")
def camera(house: House) -> TestDevice:
    """One of two cameras of a group; it has kept 62 images, two of them because the model was unsure."""
    TestDevice.join(house.lineside, OTHER, group=GROUP)
    camera = TestDevice.join(house.lineside, CAMERA, group=GROUP)
    for n in range(62):
        send(house, f"yard-{n:02d}", seed=n % 6, strategy="uncertain" if n < 2 else "random")
    house.lineside.apps.services["reviews"].intake.step()  # they can be reviewed
    return camera


def send(house: House, capture: str, *, seed: int, strategy: str, request: str = "") -> None:
    captures = house.lineside.apps.services["captures"]
    record, data = made(capture, device=CAMERA, seed=seed, strategy=strategy, found=(SCRATCH,))
    record = msgspec.structs.replace(record, request=request or msgspec.UNSET)
    ticket = captures.announce(CAMERA, record)
    if not ticket.uploaded:
        captures.upload(CAMERA, ticket.id, [data])


def test_captures_are_found_by_device_reason_and_day(
    page: Page, house: House, camera: TestDevice, screenshots: Path
) -> None:
    open_page(page, house, "/captures")
    page.get_by_label("Device").fill(CAMERA)
    page.get_by_label("Day of arrival").fill(TODAY.date().isoformat())
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("figure")).to_have_count(60)
    expect(page.get_by_text("60 of 62, newest first")).to_be_visible()
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 0")
    page.screenshot(path=screenshots / "captures-of-a-device.png")
    page.get_by_role("link", name="Older").click()
    expect(page.locator("figure")).to_have_count(2)
    expect(page.get_by_label("Device")).to_have_value(CAMERA)
    page.get_by_label("Reason").select_option("uncertain")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("figure")).to_have_count(2)
    expect(page.locator("figcaption b")).to_have_text(["uncertain", "uncertain"])
    expect(page.get_by_label("Device")).to_have_value(CAMERA)
    page.get_by_label("Day of arrival").fill((TODAY - timedelta(days=3)).date().isoformat())
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No capture fits.")).to_be_visible()
    page.get_by_role("link", name="Show all").last.click()
    expect(page.get_by_label("Device")).to_have_value("")
    expect(page.locator("figure")).to_have_count(60)
    page.locator("figure").first.get_by_role("link", name="review").click()
    expect(page.locator("h1")).to_have_text("Review")


@pytest.mark.parametrize("width", [1280, 390])
def test_forms_stand_above_what_they_are_about_and_nothing_is_wider_than_the_screen(
    page: Page, house: House, camera: TestDevice, screenshots: Path, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for address, form, below in (("/captures", "Filter", "figure"), ("/collections", "Collect", "table, .none")):
        open_page(page, house, address)
        button = page.get_by_role("button", name=form).bounding_box()
        first = page.locator(below).first.bounding_box()
        assert button is not None
        assert first is not None
        assert button["y"] + button["height"] <= first["y"]
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        page.screenshot(path=screenshots / f"{address[1:]}-{width}.png")


def test_a_collection_is_asked_for_by_form_and_its_report_grows_until_it_is_complete(
    page: Page, house: House, camera: TestDevice, screenshots: Path
) -> None:
    open_page(page, house, "/collections")
    page.get_by_label("Images", exact=True).fill("4")
    page.get_by_label("Group").fill(GROUP)
    page.get_by_label("Until the end of").fill((TODAY + timedelta(days=3)).date().isoformat())
    page.get_by_label("Only with").fill("scratch, dent")
    page.get_by_role("button", name="Collect").click()
    expect(page.locator("h1")).to_contain_text(f"4 images from {GROUP}")
    expect(page.locator("h1 .tag")).to_have_text("open")
    rows = page.locator("table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("It has not heard of it yet.")
    id_ = page.url.rsplit("/", 1)[1]
    assert house.client.collection(id_).request.classes == ("scratch", "dent")
    camera.get("/collections")
    camera.post(f"/collections/{id_}/kept", CaptureProgress(kept=2, refused={"looks like another": 3}))
    send(house, "asked-0", seed=70, strategy="requested", request=id_)
    expect(rows.first).to_contain_text("looks like another: 3")  # the page asks for itself again
    expect(page.locator("figure")).to_have_count(1)
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 0")
    keep(page, screenshots, "collection")
    for n in range(1, 4):
        send(house, f"asked-{n}", seed=70 + n, strategy="requested", request=id_)
    expect(page.locator("h1 .tag")).to_have_text("complete")
    expect(page.get_by_role("button", name="Cancel it")).to_have_count(0)
    page.get_by_role("link", name="All its images").click()
    expect(page.locator("figure")).to_have_count(4)


def test_collections_are_listed_with_their_schedules_and_one_is_cancelled(
    page: Page, house: House, camera: TestDevice, screenshots: Path
) -> None:
    mondays = CollectionSchedule(name="mondays", schedule="0 6 * * mon", hours=12.0, group=GROUP, count=100)
    house.client.schedule_collection(mondays)
    open_page(page, house, "/collections")
    expect(page.locator("table", has_text="mondays")).to_contain_text("0 6 * * mon")
    page.get_by_label("Group").fill(GROUP)
    page.get_by_label("Until the end of").fill((TODAY + timedelta(days=1)).date().isoformat())
    page.get_by_role("checkbox", name="by chance").check()
    page.get_by_role("button", name="Collect").click()
    expect(page.locator("h1 .tag")).to_have_text("open")
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator("h1 .tag")).to_have_text("cancelled")
    open_page(page, house, "/collections")
    states = page.locator("table").first.locator("tbody .tag")
    expect(states).to_have_text(["cancelled", "complete"])
    keep(page, screenshots, "collections")
    newest = house.client.collections().collections[0]
    assert (newest.request.strategy, newest.state) == ("random", CollectionState.CANCELLED)
