"""On a phone a page is as wide as the phone: what is wider scrolls by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from lineside.server.web.navigation import AREAS
from tests.pages.story import House
from tests.pages.test_pages import open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


def test_no_page_is_wider_than_a_phone(page: Page, house: House) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    things = (f"/runs/{house.run.id}", "/models/plates/1", f"/datasets/{house.dataset.id}", "/devices/twin-1")
    wide: dict[str, int] = {}
    for path in (*(one.address for area in AREAS for one in area.entries), *things):
        open_page(page, house, path)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wide[path] = over
    assert wide == {}
