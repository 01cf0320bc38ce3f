"""Who may join, by clicking: a device that waits is accepted, quarantined, revoked; a token is made and taken back."""

from __future__ import annotations

import httpx
import msgspec
import pytest
from playwright.sync_api import Page, expect

from lineside.contract.device import DeviceState, JoinRequest
from lineside.server.testing_device import make_csr, make_key
from tests.pages.story import House
from tests.pages.test_pages import open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


def test_a_waiting_device_is_accepted_quarantined_and_revoked(page: Page, house: House) -> None:
    body = msgspec.json.encode(JoinRequest(name="walk-in", csr=make_csr(make_key(), "walk-in")))
    fingerprint = httpx.post(f"{house.lineside.device_url}/device/v1/join", content=body).json()["fingerprint"]
    open_page(page, house, "/")
    expect(page.get_by_text("walk-in waits to be accepted")).to_be_visible()
    open_page(page, house, "/devices")
    expect(page.locator("#pending")).to_contain_text(fingerprint)
    page.locator("#pending").get_by_role("link", name="Decide").click()
    expect(page.locator("#fingerprint")).to_have_text(fingerprint)
    page.get_by_role("button", name="Accept this key").click()
    expect(page.get_by_role("button", name="Quarantine")).to_be_visible()
    assert house.client.device("walk-in").state is DeviceState.ACCEPTED
    page.get_by_label("Why quarantine").fill("it <b>smells</b>")
    page.get_by_role("button", name="Quarantine").click()
    expect(page.get_by_text("it <b>smells</b>").first).to_be_visible()
    assert house.client.device("walk-in").state is DeviceState.QUARANTINED
    page.get_by_label("Why revoke").fill("scrapped")
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("row", name="walk-in")).to_contain_text("revoked")


def test_a_token_is_shown_once_and_taken_back_and_a_key_is_preauthorised(page: Page, house: House) -> None:
    open_page(page, house, "/joining")
    page.get_by_label("Group").first.fill("line-77")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#join-command")).to_contain_text("--token lsj_")
    row = page.get_by_role("row", name="line-77")
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="line-77")).to_have_count(0)
    expect(page.locator("#join-command")).to_have_count(0)
    page.get_by_label("Fingerprint").fill("ab" * 32)
    page.get_by_label("Name").fill("cam-77")
    page.get_by_role("button", name="Preauthorise").click()
    page.get_by_role("row", name="cam-77").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("row", name="cam-77")).to_have_count(0)
