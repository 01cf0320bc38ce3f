"""Sessions: when they begin, when they end, and that a planted one is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineside.contract.people import Role
from lineside.server.access.cookies import COOKIE
from lineside.server.access.people_store import SessionRow
from lineside.server.testing import FakeClock
from tests.server.access.people import PASSWORD, House, code, house

pytestmark = pytest.mark.both_databases


@pytest.fixture
def here(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[House]:
    with house(tmp_path / "root", clock, session_idle_seconds=1000, session_seconds=5000, **database) as opened:
        yield opened


def signed_in(browser: httpx.Client) -> bool:
    return browser.get("/api/v1/me").status_code == 200


def sessions(here: House) -> list[SessionRow]:
    with here.up.core.database.read() as session:
        return session.query(SessionRow).all()


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(here: House) -> None:
    here.person("ann", Role.VIEWER)
    answer = here.login("ann")
    assert answer.status_code == 200
    assert "token" not in answer.json() or answer.json()["token"] is None
    cookies = [SimpleCookie(header) for header in answer.headers.get_list("set-cookie")]
    (cookie,) = (jar[COOKIE] for jar in cookies if COOKIE in jar)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "lax", "/", "5000")
    assert len(cookie.value) >= 43  # 256 bits
    assert cookie.value not in {row.hash for row in sessions(here)}


def test_signing_in_makes_a_new_session_and_ends_the_one_before(here: House) -> None:
    browser = here.person("ann", Role.VIEWER)
    before = browser.cookies[COOKIE]
    here.login("ann", browser=browser).raise_for_status()
    assert browser.cookies[COOKIE] != before
    assert signed_in(browser)
    assert not signed_in(here.browser(cookies={COOKIE: before}))


def test_a_planted_session_is_never_taken_over(here: House) -> None:
    """Session fixation: somebody puts their own session, or one they made up, into another's browser."""
    here.person("eve", Role.VIEWER)
    here.person("ann", Role.ADMIN)
    for planted in ("a" * 43, here.login("eve").cookies[COOKIE]):
        browser = here.browser(cookies={COOKIE: planted})
        answer = here.login("ann", browser=browser)
        assert answer.cookies[COOKIE] != planted
        left = here.browser(cookies={COOKIE: planted})
        assert left.get("/api/v1/me").status_code == 401


def test_signing_out_ends_this_session_and_no_other(here: House) -> None:
    first, second = here.person("ann", Role.VIEWER), here.browser()
    here.login("ann", browser=second).raise_for_status()
    kept = first.cookies[COOKIE]
    answer = first.post("/api/v1/logout")
    assert answer.status_code == 204
    assert COOKIE not in first.cookies
    assert not signed_in(here.browser(cookies={COOKIE: kept}))
    assert signed_in(second)
    assert here.decisions()[-1] == ("ann", "session.logout", "ann")
    assert code(first.post("/api/v1/logout")) == "auth.login_needed"


def test_another_password_ends_every_session_but_the_one_that_asked_which_is_a_new_one(here: House) -> None:
    first, second = here.person("ann", Role.VIEWER), here.browser()
    here.login("ann", browser=second).raise_for_status()
    before = first.cookies[COOKIE]
    change = {"current": PASSWORD, "new": "another password"}
    assert first.post("/api/v1/me/password", json=change).status_code == 204
    assert first.cookies[COOKIE] != before
    assert signed_in(first)
    assert not signed_in(second)
    assert not signed_in(here.browser(cookies={COOKIE: before}))
    assert code(here.login("ann")) == "login.refused"
    assert here.login("ann", "another password").status_code == 200
    assert ("ann", "user.password", "ann") in here.decisions()


def test_another_password_needs_the_one_there_is(here: House) -> None:
    browser = here.person("ann", Role.VIEWER)
    wrong = browser.post("/api/v1/me/password", json={"current": "not the password", "new": "another password"})
    assert (wrong.status_code, code(wrong)) == (401, "login.refused")
    short = browser.post("/api/v1/me/password", json={"current": PASSWORD, "new": "short"})
    assert (short.status_code, code(short)) == (400, "password.bad")
    nobody = here.local().post("/api/v1/me/password", json={"current": PASSWORD, "new": "another password"})
    assert (nobody.status_code, code(nobody)) == (409, "user.no_person")
    assert here.login("ann").status_code == 200


def test_who_is_disabled_is_out_at_once(here: House) -> None:
    browser = here.person("ann", Role.VIEWER)
    here.accounts.users.disable("ann")
    assert not signed_in(browser)
    assert code(here.login("ann")) == "login.refused"
    here.accounts.users.enable("ann")
    assert not signed_in(browser)  # a session that has ended stays so
    assert here.login("ann").status_code == 200


def test_a_browser_that_asks_nothing_is_signed_out(here: House, clock: FakeClock) -> None:
    browser = here.person("ann", Role.VIEWER)
    for _ in range(3):
        clock.advance(900)
        assert signed_in(browser)
    clock.advance(1001)
    assert not signed_in(browser)


def test_nobody_stays_signed_in_for_ever(here: House, clock: FakeClock) -> None:
    browser = here.person("ann", Role.VIEWER)
    for _ in range(6):
        clock.advance(800)
        assert signed_in(browser)
    clock.advance(200)
    assert not signed_in(browser)
    here.login("ann", browser=browser).raise_for_status()
    assert len(sessions(here)) == 1  # what has expired is not kept


def test_a_session_outlives_a_restart(tmp_path: Path) -> None:
    with house(tmp_path / "root") as here:
        value = here.person("ann", Role.VIEWER).cookies[COOKIE]
    with house(tmp_path / "root") as here:
        assert signed_in(here.browser(cookies={COOKIE: value}))
        assert not signed_in(here.browser(cookies={COOKIE: value[:-1] + ("A" if value[-1] != "A" else "B")}))
