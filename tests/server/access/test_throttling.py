"""Guessing gets slower and slower; whoever knows a password is not kept out by those who don't."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from lineside.contract.errors import LinesideError
from lineside.contract.people import Login, NewUser, Role
from lineside.server.access import passwords
from lineside.server.access.authentication import Credentials
from lineside.server.access.people_store import AttemptsRow
from lineside.server.testing import FakeClock
from tests.server.access.people import PASSWORD, House, code, house

WRONG = "this is a guess only"


@pytest.fixture
def here(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    with house(tmp_path / "root", clock) as opened:
        yield opened


def attempt(here: House, name: str, source: str, password: str = WRONG) -> str:
    """An attempt from some address: what came of it."""
    try:
        here.accounts.login(Login(name=name, password=password), Credentials(source=source))
    except LinesideError as error:
        return error.code + (f" {error.params['seconds']}" if "seconds" in error.params else "")
    return "in"


def test_after_some_failures_each_further_one_waits_twice_as_long(here: House, clock: FakeClock) -> None:
    here.person("ann", Role.VIEWER)
    assert [attempt(here, "ann", "192.0.2.1") for _ in range(6)] == ["login.refused"] * 6
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        assert attempt(here, "ann", "192.0.2.1") == f"login.too_often {seconds}"
        assert attempt(here, "ann", "192.0.2.1", PASSWORD) == f"login.too_often {seconds}"  # unseen, right or wrong
        clock.advance(seconds)
        assert attempt(here, "ann", "192.0.2.1") == "login.refused"
    clock.advance(60)
    assert attempt(here, "ann", "192.0.2.1", PASSWORD) == "in"
    assert [attempt(here, "ann", "192.0.2.1") for _ in range(6)] == ["login.refused"] * 6  # success starts over


def test_a_wait_has_its_own_status_and_says_how_long(here: House) -> None:
    here.person("ann", Role.VIEWER)
    for _ in range(6):
        assert here.login("ann", WRONG).status_code == 401
    answer = here.login("ann", PASSWORD)
    assert (answer.status_code, code(answer), answer.json()["error"]["params"]) == (
        429,
        "login.too_often",
        {"seconds": "1"},
    )


def test_a_restart_forgets_nothing(tmp_path: Path, clock: FakeClock) -> None:
    with house(tmp_path / "root", clock) as here:
        here.person("ann", Role.VIEWER)
        for _ in range(6):
            attempt(here, "ann", "192.0.2.1")
    with house(tmp_path / "root", clock) as here:
        assert attempt(here, "ann", "192.0.2.1", PASSWORD) == "login.too_often 1"


def test_one_address_that_tries_many_names_is_slowed_down_and_others_are_not(here: House, clock: FakeClock) -> None:
    here.person("ann", Role.VIEWER)
    results = [attempt(here, f"guess{number}", "192.0.2.1") for number in range(21)]
    assert results == ["login.refused"] * 21
    assert attempt(here, "ann", "192.0.2.1", PASSWORD) == "login.too_often 1"
    assert attempt(here, "ann", "192.0.2.2", PASSWORD) == "in"
    clock.advance(1)
    assert attempt(here, "ann", "192.0.2.1", PASSWORD) == "in"


def test_ones_own_account_does_not_wash_an_address_clean(here: House, clock: FakeClock) -> None:
    here.person("eve", Role.VIEWER)
    for number in range(21):
        attempt(here, f"guess{number}", "192.0.2.1")
    for seconds in (1, 2, 4, 8):
        clock.advance(seconds)
        assert attempt(here, "eve", "192.0.2.1", PASSWORD) == "in"
        assert attempt(here, "someone", "192.0.2.1") == "login.refused"
        assert attempt(here, "someone", "192.0.2.1") == f"login.too_often {seconds * 2}"


def test_addresses_that_one_person_has_count_as_one(here: House) -> None:
    for first, second, same in (
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8:1::1", "2001:db8:1:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("198.51.100.1", "198.51.100.2", False),
    ):
        for number in range(21):
            attempt(here, f"guess{number}", first)
        assert (attempt(here, f"from {second}", second) == "login.too_often 1") is same


def test_a_name_that_nobody_has_answers_as_one_that_somebody_has(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words, the same waits, and the same work: else an answer's time would tell who has access."""
    here.person("ann", Role.VIEWER)
    here.accounts.users.create(NewUser(name="new", roles=(Role.VIEWER,)))  # has no password yet
    here.person("off", Role.VIEWER)
    here.accounts.users.disable("off")
    work: list[str] = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda self, hash, password: (work.append(str(hash)), verify(self, hash, password))[1]
    )
    for number, name in enumerate(("ann", "nobody", "new", "off")):
        outcomes = [attempt(here, name, f"192.0.2.{number}", WRONG) for _ in range(7)]
        assert outcomes == ["login.refused"] * 6 + ["login.too_often 1"]
    assert len(work) == 4 * 6
    assert {hash.rpartition("$")[0].rpartition("$")[0] for hash in work} == {"$argon2id$v=19$m=64,t=1,p=1"}


def test_whoever_signed_in_here_before_is_not_kept_out_by_others_who_guess(here: House) -> None:
    browser = here.person("ann", Role.VIEWER)
    browser.post("/api/v1/logout").raise_for_status()
    for number in range(30):
        attempt(here, "ann", f"192.0.2.{number}")
        attempt(here, "someone", "127.0.0.1")
    assert here.login("ann").status_code == 429
    assert here.login("ann", browser=browser).status_code == 200


def test_a_known_browser_guesses_no_faster(here: House) -> None:
    browser = here.person("eve", Role.VIEWER)
    assert [here.login("eve", WRONG, browser).status_code for _ in range(12)] == [401] * 11 + [429]


def test_a_browser_is_known_for_one_person_only_and_by_this_control_plane(here: House) -> None:
    eves, anns = here.person("eve", Role.VIEWER), here.person("ann", Role.VIEWER)
    for number in range(6):
        attempt(here, "ann", f"192.0.2.{number}")
    assert here.login("ann", browser=eves).status_code == 429
    stamp = anns.cookies["lineside_known"]
    for forged in (stamp[:-3] + ("aaa" if stamp[-3:] != "aaa" else "bbb"), "", "x.y.z"):
        assert here.login("ann", browser=here.browser(cookies={"lineside_known": forged})).status_code == 429
    assert here.login("ann", browser=anns).status_code == 200


def test_a_link_is_a_way_in_however_many_guess(here: House) -> None:
    here.person("ann", Role.VIEWER)
    for number in range(20):
        attempt(here, "ann", f"192.0.2.{number}")
    link = here.accounts.users.link("ann").url.partition("token=")[2]
    browser = here.browser()
    assert browser.post("/api/v1/login/link", json={"link": link, "password": PASSWORD}).status_code == 200
    assert here.login("ann").status_code == 200  # and guesses so far are forgotten


def test_many_guesses_at_once_are_no_way_around(here: House) -> None:
    here.person("ann", Role.VIEWER)
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda number: attempt(here, "ann", f"192.0.2.{number}"), range(32)))
    judged = [action for _, action, _ in here.decisions()].count("session.refuse")
    assert judged == outcomes.count("login.refused") == 6
    assert outcomes.count("login.too_often 1") == 26


def test_what_could_not_be_judged_was_no_attempt(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing takes memory on purpose: a few at once, and who would wait too long is told to come again."""
    here.person("ann", Role.VIEWER)
    monkeypatch.setattr(passwords, "_WAIT", 0.01)
    with ExitStack() as turns:
        for _ in range(passwords._AT_ONCE):
            turns.enter_context(here.accounts._passwords._turn())
        assert [attempt(here, "ann", "192.0.2.1", PASSWORD) for _ in range(10)] == ["login.busy"] * 10
    assert [attempt(here, "ann", "192.0.2.1") for _ in range(7)] == ["login.refused"] * 6 + ["login.too_often 1"]


def test_guesses_at_the_present_password_by_whoever_sits_at_the_browser_count_too(here: House) -> None:
    browser = here.person("ann", Role.VIEWER)
    browser.cookies.delete("lineside_known")
    guess = {"current": WRONG, "new": "another password"}
    codes = [browser.post("/api/v1/me/password", json=guess).status_code for _ in range(7)]
    assert codes == [401] * 6 + [429]


def test_what_was_typed_is_not_kept_and_is_forgotten_after_a_day(here: House, clock: FakeClock) -> None:
    def rows() -> list[AttemptsRow]:
        with here.up.core.database.read() as session:
            return session.query(AttemptsRow).all()

    attempt(here, "a password in the wrong field", "192.0.2.1")
    assert len(rows()) == 2
    assert not [row.key for row in rows() if "password" in row.key or "192" in row.key]
    clock.advance(24 * 3600 + 1)
    attempt(here, "ann", "192.0.2.9")
    assert len(rows()) == 2
