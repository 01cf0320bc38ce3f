"""The audit trail and the lineage of a result, opened in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.contract.model import Decision
from lineside.server.testing import running
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house of this module's own, in which a device has decided about one picture."""
    folder = tmp_path_factory.mktemp("decided")
    with running(folder / "root", soak_seconds=0.0) as lineside:
        house = House(lineside, folder / "plates")
        house.client.approve_model("plates", 1, Decision(reason="fine on the twin"))
        house.see(house.deploy())
        yield house


def test_the_audit_page_checks_the_chain_and_filters(page: Page, decided: House, screenshots: Path) -> None:
    open_page(page, decided, "/audit")
    expect(page.locator("#audit-state .tag")).to_have_text("unbroken")
    row = page.locator("tr", has_text="model.approve")
    expect(row).to_contain_text("plates:1")
    expect(row).to_contain_text("fine on the twin")
    keep(page, screenshots, "audit")
    page.get_by_label("What").fill("device")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(3)  # two joined, and the twin was asked for its numbers
    expect(page.locator("tbody")).to_contain_text("station-1")


def test_from_a_device_to_where_its_decision_came_from(page: Page, decided: House, screenshots: Path) -> None:
    open_page(page, decided, "/devices/station-1")
    page.get_by_role("link", name="Where this decision came from").click()
    expect(page.locator("h1")).to_have_text("Why station-1 decided so")
    expect(page.locator(".chain li")).to_have_count(9)
    expect(page.locator(".chain li.open")).to_have_count(0)
    expect(page.locator(".chain rect.found")).to_be_attached()
    expect(page.locator(".chain")).to_contain_text("1 of 1 signatures verify")
    expect(page.get_by_text("verified now")).to_be_visible()
    expect(page.locator(".pictures figure")).to_have_count(3)
    keep(page, screenshots, "lineage")
    page.set_viewport_size({"width": 420, "height": 900})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 420
    page.get_by_role("link", name="All 3 of them").click()
    expect(page.locator("figure")).to_have_count(3)


def test_from_a_capture(page: Page, decided: House) -> None:
    open_page(page, decided, "/captures")
    page.get_by_role("link", name="lineage").click()
    expect(page.locator(".chain li.decision rect.found")).to_be_attached()


def test_a_result_that_is_not_kept_says_so(page: Page, decided: House) -> None:
    answer = page.request.get(decided.lineside.people_url + "/lineage/99")
    assert answer.status == 404
    assert "<h1>" in answer.text()
