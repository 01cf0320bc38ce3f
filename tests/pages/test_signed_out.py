"""A page left open goes to the login page by itself when its session ends, and comes back to where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from lineside.contract.people import Role
from tests.server.access.people import PASSWORD, house

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


def test_a_live_page_whose_session_ends_asks_to_sign_in(browser: Browser, tmp_path: Path) -> None:
    with house(tmp_path, full=True) as here:
        here.person("ann", Role.OPERATOR)
        page = browser.new_page()  # one of its own: the refusal it meets is what the test is about
        page.goto(here.up.people_url + "/devices")
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(here.up.people_url + "/devices")
        here.accounts.users.disable("ann")
        expect(page).to_have_url(here.up.people_url + "/login?next=%2Fdevices")
        page.close()
