"""Pages of drift in Chromium: what is held, its curves and the captures that show it, answers, and that it clears."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from playwright.sync_api import Page, expect

from lineside.contract.drift_alarm import DriftScope
from lineside.server.clock import rfc3339
from lineside.server.testing_device import TestDevice
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page
from tests.server.drift.telling import a_model, payload, window
from tests.server.review.world import made

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages"), pytest.mark.timeout(400)]

DARK, LIT = "paint-cam-1", "paint-cam-2"
HOURS = 10


@pytest.fixture(scope="module")
def number(house: House) -> int:
    """Ten hours of two cameras; in the last four hours it is dark before one of them, which keeps two images of it."""
    core, services = house.lineside.core, house.lineside.apps.services
    for name in (DARK, LIT):
        TestDevice.join(house.lineside, name, group="paint")
    a_model(core)
    now = core.clock.now()
    for half in range(HOURS * 2):
        began = rfc3339(now - timedelta(hours=HOURS) + timedelta(minutes=30 * half))
        for name in (DARK, LIT):
            dark = name == DARK and half >= (HOURS - 4) * 2
            told = window(core, name, half, began_at=began, light=-30 if dark else 0, confidence=-0.2 if dark else 0)
            assert services["drift"].take(name, payload(told))
    services["drift"].step()
    for n in range(2):
        record, data = made(f"dark-{n}", device=DARK, seed=300 + n, strategy="drift")
        record = msgspec.structs.replace(record, reason="In 2 of 3 windows: brightness below what is usual.")
        ticket = services["captures"].announce(DARK, record)
        services["captures"].upload(DARK, ticket.id, [data])
    (alarm,) = services["drift_looks"].alarms(cleared=False).alarms
    return int(alarm.number)


def test_what_is_held_stands_first_and_every_source_says_how_far_it_is(
    page: Page, house: House, number: int, screenshots: Path
) -> None:
    open_page(page, house, "/drift")
    held = page.locator("table", has_text="Raised").first
    expect(held.locator("tbody tr")).to_have_count(1)
    expect(held.locator(".tag")).to_have_text("raised")
    expect(held).to_contain_text("brightness -")
    expect(held).to_contain_text("darker")
    expect(page.locator(".multiples figure").first).to_be_visible()  # of the group and the fleet
    rows = page.locator("table.streams tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(DARK)
    expect(rows.first).to_contain_text("confidence 2.")  # limits
    keep(page, screenshots, "drift")
    page.get_by_label("Group").fill("paint")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=3)).to_contain_text(["the fleet", "group paint"])


def test_an_alarm_shows_its_curves_and_captures_and_is_answered(
    page: Page, house: House, number: int, screenshots: Path
) -> None:
    open_page(page, house, f"/drift/alarms/{number}")
    expect(page.locator("h1 .tag")).to_have_text("raised")
    expect(page.get_by_text("darker")).to_be_visible()
    curves = page.locator(".multiples figure")
    expect(curves).to_have_count(2)
    points = curves.first.locator("polyline").get_attribute("points") or ""
    assert len(points.split()) == HOURS * 2
    expect(curves.first.locator("circle")).to_have_count(8)  # four hours, a window every half
    expect(page.locator(".pictures figure")).to_have_count(2)
    page.wait_for_function("() => document.querySelector('.pictures img').naturalWidth > 0")
    keep(page, screenshots, "drift-alarm")
    page.get_by_label("What is known").fill("the lamp broke")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("h1 .tag")).to_have_text("acknowledged")
    expect(page.locator("dl.facts")).to_contain_text("by tester")
    expect(page.locator("dl.facts")).to_contain_text("the lamp broke")
    page.locator("input[name=hours]").fill("48")
    page.get_by_role("button", name="Mute").click()
    expect(page.locator("h1 .tag")).to_have_text("muted")
    shown = house.client.drift_alarm(number).alarm
    assert (shown.acknowledged_by, shown.state.value) == ("tester", "muted")


def test_curves_of_one_source_and_what_is_usual_there(page: Page, house: House, number: int, screenshots: Path) -> None:
    open_page(page, house, "/drift")
    page.locator("table.streams tbody tr", has_text=DARK).get_by_role("link", name="curves").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(DARK)
    expect(page.get_by_role("link", name=f"Alarm {number}")).to_be_visible()
    expect(page.locator(".multiples figure.held")).to_have_count(2)
    keep(page, screenshots, "drift-curves")
    stream = page.url.rsplit("/", 1)[1]
    refused = httpx.post(f"{house.lineside.people_url}/drift/streams/{stream}/rebase", data={"why": "new lamps"})
    assert refused.status_code == 409
    assert "drift.few_windows" in refused.text


def test_a_device_shows_its_own(page: Page, house: House, number: int) -> None:
    open_page(page, house, f"/devices/{DARK}")
    expect(page.locator("#drift figure.held")).to_have_count(2)
    page.locator("#drift").get_by_role("link", name=f"alarm {number}").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Drift on {DARK}")


def test_near_again_it_clears_and_nobody_can_answer_any_more(
    page: Page, house: House, number: int, screenshots: Path
) -> None:
    core, services = house.lineside.core, house.lineside.apps.services
    (stream,) = services["drift_looks"].streams(DriftScope.DEVICE, DARK).streams
    for n in range(4):
        began = rfc3339(core.clock.now() - timedelta(minutes=20 - n))
        assert services["drift"].take(DARK, payload(window(core, DARK, 900 + n, began_at=began, seconds=60.0)))
    assert services["drift_looks"].curves(stream.id).stream.alarm is None
    open_page(page, house, f"/drift/alarms/{number}")
    expect(page.locator("h1 .tag")).to_have_text("cleared")
    expect(page.locator("dl.facts")).to_contain_text("its windows are near again")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    open_page(page, house, "/drift")
    expect(page.get_by_text("No drift is held")).to_be_visible()
    keep(page, screenshots, "drift-cleared")
