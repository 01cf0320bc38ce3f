"""The main menu in Chromium: areas and their pages in one row each, reached by keyboard alone, with what is current."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.contract.people import Permission
from lineside.server.web.navigation import AREAS, area_of, menu
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages"), pytest.mark.timeout(400)]


def test_who_may_not_administer_is_offered_no_page_of_it() -> None:
    shown = {entry.address for area in menu(lambda one: one is Permission.READ) for entry in area.entries}
    assert {"/devices", "/audit"} <= shown
    assert not {"/users", "/webhooks"} & shown
    assert area_of("/users") == "Settings"
    assert area_of("") == ""


def test_every_page_of_the_menu_is_there_and_says_that_it_is_current(page: Page, house: House) -> None:
    for area in AREAS:
        for entry in area.entries:
            open_page(page, house, entry.address)
            main, pages = page.get_by_label("Main", exact=True), page.get_by_label(area.label, exact=True)
            expect(main.locator("[aria-current=true]")).to_have_text(area.label)
            expect(pages.locator("[aria-current=page]")).to_have_text(entry.label)
            expect(pages.get_by_role("link")).to_have_text([one.label for one in area.entries])


def test_a_page_is_reached_with_tab_and_enter(page: Page, house: House) -> None:
    open_page(page, house, "/")
    _tab_to(page, "Field")
    page.keyboard.press("Enter")
    page.wait_for_url("**/captures")
    _tab_to(page, "Drift")
    page.keyboard.press("Enter")
    page.wait_for_url("**/drift")
    expect(page.get_by_role("heading", level=1)).to_have_text("Drift")


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_the_menu_keeps_its_rows(page: Page, house: House, screenshots: Path, width: int) -> None:
    """At 1280 pixels areas and pages take a row each; on a telephone nothing lies outside the window."""
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, house, "/devices")
    keep(page, screenshots, f"menu-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for menu_ in ("header .bar", "header .pages"):
        tops = page.eval_on_selector_all(f"{menu_} a", "all => all.map(one => one.getBoundingClientRect().bottom)")
        assert width < 1280 or max(tops) - min(tops) < 16


def _tab_to(page: Page, label: str) -> None:
    """Tab, until the link has the focus; it is among the first twenty."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == label:
            return
    raise AssertionError(label)
