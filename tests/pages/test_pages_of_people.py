"""Signing in by clicking: the first admin's link, somebody new, their own page, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lineside.server.access.entry_pages import within
from tests.pages.test_pages import keep
from tests.server.access.people import PASSWORD, House, house

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A new control plane with a lock at its door; its tests follow one another."""
    with house(tmp_path_factory.mktemp("people") / "root", full=True) as opened:
        yield opened


def choose_password(page: Page, again: str = PASSWORD) -> None:
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(again)
    page.get_by_role("button", name="Choose it and sign in").click()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_the_first_admin_comes_in_by_a_link_and_lets_somebody_in(page: Page, here: House, screenshots: Path) -> None:
    link = here.accounts.first_link()
    assert link is not None
    page.goto(link.url)
    expect(page.locator("h1")).to_have_text("Welcome, admin")
    keep(page, screenshots, "welcome")
    choose_password(page)
    expect(page).to_have_url(here.up.people_url + "/")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="People").click()
    form = page.locator("form[action='/users']")
    form.get_by_label("Name").fill("ann")
    form.get_by_label("operator").check()
    form.get_by_role("button").click()
    expect(page.locator(".shown-once")).to_contain_text("/welcome?token=")
    row = page.locator("tr", has_text="ann")
    expect(row.get_by_label("operator")).to_be_checked()
    expect(row.get_by_label("admin")).not_to_be_checked()
    keep(page, screenshots, "people")
    row.get_by_label("viewer").check()
    row.get_by_role("button", name="Save").click()
    expect(row.get_by_label("viewer")).to_be_checked()
    assert [len(user.roles) for user in here.accounts.users.list() if user.name == "ann"] == [2]


def test_a_person_has_a_page_and_makes_a_token_that_is_shown_once(page: Page, here: House, screenshots: Path) -> None:
    page.goto(here.accounts.users.link("ann").url)
    choose_password(page)
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("link", name="Audit")).to_be_visible()
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    page.get_by_role("link", name="ann").click()
    page.get_by_label("What it is for").fill("export <b>job</b>")
    expect(page.get_by_label("administer")).to_have_count(0)
    page.get_by_role("button", name="Make it").click()
    token = page.locator(".shown-once code").first.inner_text()
    assert here.with_token(token).get("/api/v1/me").json()["permissions"] == ["read"]
    keep(page, screenshots, "me")
    page.goto(here.up.people_url + "/me")
    assert token not in page.content()
    page.locator("tr", has_text="export <b>job</b>").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("export <b>job</b>")).to_have_count(0)
    assert here.with_token(token).get("/api/v1/me").status_code == 401


def test_out_and_in_again_to_where_one_was(browser: Browser, here: House, screenshots: Path) -> None:
    page = browser.new_page()  # refusals are errors on its console
    page.goto(here.up.people_url + "/events?kind=user")
    expect(page).to_have_url(here.up.people_url + "/login?next=%2Fevents%3Fkind%3Duser")
    expect(page.get_by_role("navigation")).to_have_count(0)
    sign_in(page, "ann", "not her password")
    expect(page.locator(".error")).to_contain_text("login.refused")
    keep(page, screenshots, "login")
    sign_in(page, "ann")
    expect(page).to_have_url(here.up.people_url + "/events?kind=user")
    page.goto(here.up.people_url + "/users")
    expect(page.locator(".error")).to_contain_text("auth.forbidden")
    page.goto(here.up.people_url + "/me")
    for label, text in (("Now", PASSWORD), ("New", "another password"), ("New, again", "another password")):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("Your password was changed.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(here.up.people_url + "/login")
    page.goto(here.up.people_url + "/devices")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.close()


@pytest.mark.parametrize(
    ("next", "path"),
    [
        ("/devices/a?x=1", "/devices/a?x=1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(next: str, path: str) -> None:
    assert within(next) == path
