"""API tokens: what they may do, for how long, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineside.contract.people import NewUser, Permission, Role
from lineside.server.access.people_store import ApiTokenRow
from lineside.server.testing import FakeClock
from tests.server.access.people import PASSWORD, House, code, house

pytestmark = pytest.mark.both_databases


@pytest.fixture
def here(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[House]:
    with house(tmp_path / "root", clock, **database) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(shared: House) -> httpx.Client:
    return shared.person("opal", Role.OPERATOR)


def test_a_token_is_shown_once_and_kept_as_a_hash(here: House) -> None:
    ann = here.person("ann", Role.OPERATOR)
    made = ann.post("/api/v1/tokens", json={"name": "export job", "permissions": ["read"], "ttl_seconds": 60})
    assert made.status_code == 201
    text, about = made.json()["token"], made.json()["about"]
    assert text.startswith("lsu_")
    assert len(text) >= 4 + 43
    assert (about["name"], about["user"], about["permissions"]) == ("export job", "ann", ["read"])
    assert about["expires_at"] == "2026-01-01T00:01:00.000Z"
    assert ann.get("/api/v1/tokens").json() == [about]
    assert text not in ann.get("/api/v1/tokens").text
    with here.up.core.database.read() as session:
        assert text not in str([vars(row) for row in session.query(ApiTokenRow)])
    (line,) = (entry for entry in here.audit() if entry.action == "token.create")
    assert (line.actor, line.subject, text in line.why) == ("ann", "ann", False)


def test_a_token_may_do_what_it_was_made_for(here: House) -> None:
    here.person("ada", Role.ADMIN)
    program = here.with_token(here.token("ada", Permission.READ))
    assert program.get("/api/v1/events").status_code == 200
    assert program.get("/api/v1/me").json()["permissions"] == ["read"]
    refused = program.get("/api/v1/users")
    assert (refused.status_code, code(refused)) == (403, "auth.forbidden")


def test_a_token_may_do_no_more_than_its_owner_still_may(here: House) -> None:
    here.person("ada", Role.ADMIN)
    here.person("max", Role.ADMIN)
    program = here.with_token(here.token("max", Permission.READ, Permission.ADMINISTER))
    assert program.get("/api/v1/users").status_code == 200
    here.accounts.users.set_roles("max", (Role.VIEWER,))
    assert program.get("/api/v1/users").status_code == 403
    assert program.get("/api/v1/events").status_code == 200
    here.accounts.users.disable("max")
    assert code(program.get("/api/v1/events")) == "auth.credential_refused"


def test_an_admins_token_may_be_a_workers_though_an_admin_is_none(here: House) -> None:
    here.person("ada", Role.ADMIN)
    program = here.with_token(here.token("ada", Permission.READ, Permission.WORK))
    assert program.get("/api/v1/me").json()["permissions"] == ["read", "work"]
    here.accounts.users.create(_bea())
    here.accounts.users.set_roles("ada", (Role.OPERATOR,))
    assert program.get("/api/v1/me").json()["permissions"] == ["read"]


def test_a_token_expires(here: House, clock: FakeClock) -> None:
    here.person("ann", Role.VIEWER)
    program = here.with_token(here.token("ann", Permission.READ, ttl=600))
    clock.advance(599)
    assert program.get("/api/v1/me").status_code == 200
    clock.advance(1)
    assert program.get("/api/v1/me").status_code == 401


def test_a_token_that_ended_is_listed_for_a_month_and_then_forgotten(here: House, clock: FakeClock) -> None:
    here.person("ada", Role.ADMIN)
    here.token("ada", Permission.READ, ttl=60, name="old")
    clock.advance(29 * 86400)
    here.token("ada", Permission.READ, name="new")
    ada = here.with_token(here.token("ada", Permission.READ, name="looks"))
    assert {one["name"] for one in ada.get("/api/v1/tokens").json()} == {"old", "new", "looks"}
    clock.advance(2 * 86400)
    ada = here.with_token(here.token("ada", Permission.READ, name="looks again"))
    assert {one["name"] for one in ada.get("/api/v1/tokens").json()} == {"new", "looks", "looks again"}


def test_a_token_that_was_revoked_is_nobodys(here: House) -> None:
    ann = here.person("ann", Role.VIEWER)
    program = here.with_token(here.token("ann", Permission.READ))
    (about,) = ann.get("/api/v1/tokens").json()
    assert ann.post(f"/api/v1/tokens/{about['id']}/revoke").json()["id"] == about["id"]
    assert program.get("/api/v1/me").status_code == 401
    assert ann.get("/api/v1/tokens").json() == []
    assert here.decisions()[-1] == ("ann", "token.revoke", "ann")
    assert code(ann.post(f"/api/v1/tokens/{about['id']}/revoke")) == "token.unknown"


def test_when_a_token_was_last_used_is_known_to_the_minute(here: House, clock: FakeClock) -> None:
    here.person("ann", Role.VIEWER)
    program = here.with_token(here.token("ann", Permission.READ))

    def used() -> str | None:
        (token,) = here.local().get("/api/v1/tokens").json()
        return str(token["used_at"]) if token["used_at"] else None

    assert used() is None
    for seconds, expected in ((10, "00:00:10"), (50, "00:00:10"), (10, "00:01:10")):
        clock.advance(seconds)
        program.get("/api/v1/me").raise_for_status()
        assert used() == f"2026-01-01T{expected}.000Z"


def test_what_a_token_makes_can_do_no_more_and_lives_no_longer(here: House) -> None:
    here.person("ada", Role.ADMIN)
    program = here.with_token(here.token("ada", Permission.READ, ttl=600))
    more = program.post("/api/v1/tokens", json={"name": "more", "permissions": ["read", "operate"]})
    assert (more.status_code, code(more)) == (400, "token.bad")
    made = program.post("/api/v1/tokens", json={"name": "same", "permissions": ["read"], "ttl_seconds": 86400})
    assert made.json()["about"]["expires_at"] == "2026-01-01T00:10:00.000Z"
    for_another = program.post("/api/v1/tokens", json={"name": "x", "permissions": ["read"], "user": "max"})
    assert code(for_another) == "auth.forbidden"


def test_tokens_of_others_are_none_of_ones_business(here: House) -> None:
    here.person("ann", Role.OPERATOR)
    max_, ada = here.person("max", Role.OPERATOR), here.person("ada", Role.ADMIN)
    here.token("ann", Permission.READ)
    assert max_.get("/api/v1/tokens").json() == []
    (theirs,) = ada.get("/api/v1/tokens").json()
    assert code(max_.post(f"/api/v1/tokens/{theirs['id']}/revoke")) == "token.unknown"
    assert code(max_.post("/api/v1/tokens", json={"name": "x", "permissions": ["read"], "user": "ann"})) == (
        "auth.forbidden"
    )
    asked = {"name": "for a service", "permissions": ["read"], "user": "ann"}
    assert ada.post("/api/v1/tokens", json=asked).json()["about"]["user"] == "ann"
    assert ada.post(f"/api/v1/tokens/{theirs['id']}/revoke").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"permissions": []},
        {"permissions": ["administer"]},
        {"permissions": ["work"]},
        {"ttl_seconds": 0},
        {"ttl_seconds": 10**9},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "n" * 65},
    ],
)
def test_tokens_that_cannot_be_made(operator: httpx.Client, wrong: dict[str, object]) -> None:
    answer = operator.post("/api/v1/tokens", json={"name": "job", "permissions": ["read"]} | wrong)
    assert (answer.status_code, code(answer)) == (400, "token.bad")


def test_whoever_is_at_the_machine_says_for_whom(here: House) -> None:
    answer = here.local().post("/api/v1/tokens", json={"name": "job", "permissions": ["read"]})
    assert (answer.status_code, code(answer)) == (400, "token.bad")
    unknown = here.local().post("/api/v1/tokens", json={"name": "job", "permissions": ["read"], "user": "nobody"})
    assert (unknown.status_code, code(unknown)) == (404, "user.unknown")


def test_a_login_can_ask_for_a_token_that_a_logout_revokes(here: House) -> None:
    here.person("ann", Role.OPERATOR)
    browser = here.browser()
    asked = {"name": "Ann ", "password": PASSWORD, "token": "lineside on a laptop"}
    answer = browser.post("/api/v1/login", json=asked).json()
    assert not browser.cookies
    program = here.with_token(answer["token"])
    assert program.get("/api/v1/me").json() == answer["who"]
    assert answer["who"]["permissions"] == ["read", "operate"]
    assert program.post("/api/v1/logout").status_code == 204
    assert program.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("token", ["lsu", "lsu_", "lsu_" + "a" * 43, "lsj_" + "a" * 40, "x" * 20_000])
def test_what_was_never_made_is_nobodys(shared: House, token: str) -> None:
    answer = shared.with_token(token).get("/api/v1/me")
    assert (answer.status_code, code(answer)) == (401, "auth.credential_refused")


def _bea() -> NewUser:
    return NewUser(name="bea", roles=(Role.ADMIN,))
