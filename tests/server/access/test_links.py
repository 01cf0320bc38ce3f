"""One-time links: one use, one at a time, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from lineside.contract.people import NewUser, Role
from lineside.server.testing import FakeClock
from tests.server.access.people import PASSWORD, House, code, house


@pytest.fixture
def here(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    with house(tmp_path / "root", clock, link_seconds=3600) as opened:
        opened.accounts.users.create(NewUser(name="ann", roles=(Role.ADMIN,)))
        yield opened


def made(here: House) -> str:
    return here.accounts.users.link("ann").url.partition("?token=")[2]


def use(here: House, link: str, password: str = PASSWORD) -> httpx.Response:
    return here.browser().post("/api/v1/login/link", json={"link": link, "password": password})


def test_a_link_is_good_once(here: House) -> None:
    link = made(here)
    assert use(here, link).status_code == 200
    again = use(here, link, "another password")
    assert (again.status_code, code(again)) == (403, "login.link_unknown")
    assert here.login("ann").status_code == 200


def test_of_two_at_once_one_gets_in(here: House) -> None:
    link = made(here)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: use(here, link, f"password number {number}"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403, 403]
    assert [action for _, action, _ in here.decisions()].count("user.password") == 1


def test_a_link_expires(here: House, clock: FakeClock) -> None:
    link = made(here)
    clock.advance(3600)
    assert code(use(here, link)) == "login.link_unknown"


def test_a_newer_link_takes_the_place_of_an_older(here: House) -> None:
    older, newer = made(here), made(here)
    assert code(use(here, older)) == "login.link_unknown"
    assert use(here, newer).status_code == 200


def test_a_link_resets_a_password_and_signs_out_everywhere(here: House) -> None:
    use(here, made(here))
    browser = here.browser()
    here.login("ann", browser=browser).raise_for_status()
    link = made(here)
    assert browser.get("/api/v1/me").status_code == 200  # that a link was made changes nothing yet
    assert use(here, link, "another password").status_code == 200
    assert browser.get("/api/v1/me").status_code == 401
    assert code(here.login("ann")) == "login.refused"


def test_a_link_dies_with_its_persons_access(here: House) -> None:
    here.accounts.users.create(NewUser(name="bob", roles=(Role.ADMIN,)))
    link = made(here)
    here.accounts.users.disable("ann")
    assert code(use(here, link)) == "login.link_unknown"
    here.accounts.users.enable("ann")
    assert code(use(here, link)) == "login.link_unknown"
    link = made(here)
    here.accounts.users.remove("ann")
    assert code(use(here, link)) == "login.link_unknown"


@pytest.mark.parametrize("link", ["", "x", "\x00", "a" * 100_000, "ü"])
def test_what_was_never_made_opens_nothing(shared: House, link: str) -> None:
    assert code(use(shared, link)) == "login.link_unknown"


def test_a_program_gets_a_token_in_place_of_a_session(here: House) -> None:
    asked = {"link": made(here), "password": PASSWORD, "token": "lineside on a laptop"}
    browser = here.browser()
    answer = browser.post("/api/v1/login/link", json=asked).json()
    assert not browser.cookies
    assert here.with_token(answer["token"]).get("/api/v1/me").json() == answer["who"]
    assert answer["who"]["by"] == "token"
