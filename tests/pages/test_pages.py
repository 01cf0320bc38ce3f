"""Every page, opened in a real browser over a control plane that has one of everything. Pictures: build/screenshots."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from lineside.server.testing_device import TestDevice
from tests.pages.story import House

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


def open_page(page: Page, house: House, path: str) -> None:
    answer = page.goto(house.lineside.people_url + path)
    assert answer is not None
    assert answer.status == 200


def keep(page: Page, folder: Path, name: str) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def test_a_person_approves_on_the_models_page(page: Page, house: House, screenshots: Path) -> None:
    open_page(page, house, "/models/plates/1")
    expect(page.locator("h1").first).to_contain_text("plates:1")
    expect(page.locator("figure rect.found").first).to_be_attached()
    expect(page.locator("figure rect.truth").first).to_be_attached()
    keep(page, screenshots, "model-awaiting-approval")
    form = page.locator("form[action$='/approve']")
    form.get_by_role("button").click()
    expect(page.locator("h1 .tag")).to_have_text("approved")
    expect(page.get_by_text("Approved by tester")).to_be_visible()
    assert house.client.model("plates", 1).decided_by == "tester"


def test_what_cannot_be_done_says_why_on_the_page(house: House) -> None:
    answer = httpx.post(house.lineside.people_url + "/models/plates/1/reject", data={"reason": "late"})
    assert answer.status_code == 409
    assert "model.not_" in answer.text or "state.illegal_move" in answer.text
    assert "<h1>" in answer.text


def test_the_fleet_and_one_device(page: Page, house: House, screenshots: Path) -> None:
    device = house.deploy()
    house.see(device)
    open_page(page, house, "/devices")
    expect(page.get_by_role("link", name="station-1")).to_be_visible()
    keep(page, screenshots, "devices")
    open_page(page, house, "/devices/station-1")
    expect(page.locator("h1 .tag")).to_have_text("healthy")
    expect(page.get_by_role("link", name="plates.model")).to_be_visible()
    expect(page.locator("#last-result rect.found")).to_be_attached()
    expect(page.locator("#last-result")).to_contain_text("scratch 0.87")
    keep(page, screenshots, "device")


def test_datasets_show_their_pictures_with_boxes(page: Page, house: House, screenshots: Path) -> None:
    open_page(page, house, "/datasets")
    page.get_by_role("link", name=house.dataset.id).click()
    expect(page.locator("figure")).to_have_count(9)
    page.get_by_role("link", name="test 3").click()
    expect(page.locator("figure")).to_have_count(3)
    box = page.locator("figure rect.truth").first
    assert (box.get_attribute("x"), box.get_attribute("width")) == ("40.0", "90.0")
    picture = page.locator("figure img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 0")
    keep(page, screenshots, "dataset")


def test_a_run_shows_steps_and_curves(page: Page, house: House, screenshots: Path) -> None:
    open_page(page, house, "/runs")
    page.get_by_role("link", name=house.run.id).click()
    expect(page.locator(".graph a.done")).to_have_count(6)
    expect(page.locator(".graph path.line")).to_have_count(5)
    expect(page.get_by_text("Starting weights are worth more")).to_be_visible()
    expect(page.locator(".chart[data-points] canvas")).to_have_count(2)
    keep(page, screenshots, "run")


def test_a_rollout_shows_waves_gates_and_history(page: Page, house: House, screenshots: Path) -> None:
    open_page(page, house, "/rollouts")
    newest = house.client.rollouts().rollouts[0]
    page.get_by_role("link", name=newest.id).click()
    expect(page.locator("h1 .tag")).to_have_text("succeeded")
    expect(page.get_by_role("link", name="station-1")).to_be_visible()
    keep(page, screenshots, "rollout")


def test_captures_say_why_they_were_kept(page: Page, house: House, screenshots: Path) -> None:
    open_page(page, house, "/captures")
    expect(page.locator("figure")).to_have_count(1)
    expect(page.locator("figcaption")).to_contain_text("confidence 0.44 lies between 0.20 and 0.50")
    page.get_by_label("Reason").select_option("uncertain")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("figure rect.found")).to_be_attached()
    keep(page, screenshots, "captures")


def test_refusals_are_visible(page: Page, house: House, screenshots: Path) -> None:
    house.refuse_a_join()
    open_page(page, house, "/events")
    expect(page.get_by_text("join.token_unknown")).to_be_visible()
    keep(page, screenshots, "events")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_overview_counts_every_stage(page: Page, house: House, screenshots: Path, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, house, "/")
    expect(page.locator(".loop li")).to_have_count(11)
    expect(page.locator(".loop li", has_text="Results").locator("b")).to_have_text("1")
    expect(page.locator(".squares a")).to_have_count(2)
    keep(page, screenshots, f"overview-{scheme}")


def test_pages_refresh_themselves(page: Page, house: House) -> None:
    open_page(page, house, "/devices")
    expect(page.get_by_role("link", name="late-comer")).to_have_count(0)
    TestDevice.join(house.lineside, "late-comer", group="spare")
    expect(page.get_by_role("link", name="late-comer")).to_be_visible()


def test_an_unknown_thing_is_a_page_with_a_next_step(house: House) -> None:
    answer = httpx.get(house.lineside.people_url + "/devices/nobody")
    assert answer.status_code == 404
    assert "There is no device named nobody" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_an_address_without_a_page_leads_back(browser: Browser, house: House) -> None:
    page = browser.new_page()  # one of its own: Chromium complains of every 404
    answer = page.goto(house.lineside.people_url + "/results")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator(".error")).to_contain_text("There is no page at /results.Next: Begin at the overview.")
    page.get_by_role("link", name="Back to the overview").click()
    expect(page.locator("h1")).to_have_text("The loop")
    asked = httpx.get(house.lineside.people_url + "/results").json()
    assert asked["error"]["code"] == "request.no_such_path"
    page.close()


def test_pictures_are_reduced_and_nothing_else_is_served_as_one(house: House) -> None:
    image = house.client.dataset_images(house.dataset.id).images[0]
    small = httpx.get(f"{house.lineside.people_url}/pictures/{image.digest}?size=32")
    assert small.headers["content-type"] == "image/jpeg"
    assert len(small.content) < 3000
    assert httpx.get(f"{house.lineside.people_url}/pictures/{house.model.golden}").status_code == 404
