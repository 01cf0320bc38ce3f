"""Groups and the list of devices, by clicking: make a group that selects, label a device into it, search as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.server.testing_device import TestDevice
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


def test_a_label_brings_a_device_into_a_group(house: House, page: Page, screenshots: Path) -> None:
    for name in ("press-1", "press-2"):
        TestDevice.join(house.lineside, name, group="presses")
    open_page(page, house, "/groups")
    page.get_by_label("Name of the group").fill("berlin")
    page.get_by_label("Selector").fill("site = berlin")
    page.get_by_role("button", name="Make").click()
    expect(page.locator("h1")).to_have_text("berlin")
    expect(page.locator("dl")).to_contain_text("site=berlin")
    expect(page.locator("main")).to_contain_text("No device is in it.")
    open_page(page, house, "/devices/press-1")
    page.get_by_label("Key", exact=True).fill("site")
    page.get_by_label("Value").fill("berlin")
    page.get_by_role("button", name="Set label").click()
    expect(page.locator(".label")).to_contain_text("site=berlin")
    open_page(page, house, "/groups/berlin")
    expect(page.locator("tbody a")).to_have_text(["press-1"])
    keep(page, screenshots, "group")
    open_page(page, house, "/devices/press-1")
    page.get_by_label("Take site away").click()
    expect(page.locator(".label")).to_have_count(0)
    open_page(page, house, "/groups/berlin")
    expect(page.locator("main")).to_contain_text("No device is in it.")


def test_devices_are_put_there_taken_out_and_the_group_goes(house: House, page: Page) -> None:
    TestDevice.join(house.lineside, "saw-1", group="saws")
    open_page(page, house, "/groups")
    page.get_by_label("Name of the group").fill("spares")
    page.get_by_role("button", name="Make").click()
    page.get_by_label("Devices to put there").fill("saw-1")
    page.get_by_role("button", name="Put there").click()
    expect(page.locator("tbody a")).to_have_text(["saw-1"])
    page.get_by_label("Devices to take out").fill("saw-1")
    page.get_by_role("button", name="Take out").click()
    expect(page.locator("main")).to_contain_text("No device is in it.")
    page.get_by_text("Delete this group").click()
    page.get_by_role("button", name="Delete spares").click()
    expect(page.locator("h1")).to_have_text("Groups")
    expect(page.get_by_role("link", name="spares")).to_have_count(0)


def test_the_list_is_searched_as_one_types(house: House, page: Page, screenshots: Path) -> None:
    for name in ("mill-1", "mill-2", "lathe-1"):
        TestDevice.join(house.lineside, name, group="tools")
    open_page(page, house, "/devices")
    page.get_by_label("Group").fill("tools")
    expect(page.locator("#devices tbody tr")).to_have_count(3)
    page.get_by_label("Name").fill("MILL")
    expect(page.locator("#devices tbody tr")).to_have_count(2)
    page.get_by_label("Labels and facts").fill("os in")
    expect(page.locator("#devices .error")).to_contain_text("character 6")
    page.get_by_label("Labels and facts").fill("!nothing")
    expect(page.locator("#devices tbody tr")).to_have_count(2)
    assert "q=MILL" in page.url
    keep(page, screenshots, "devices-found")
    page.reload()
    expect(page.get_by_label("Name")).to_have_value("MILL")
    expect(page.locator("#devices tbody tr")).to_have_count(2)
