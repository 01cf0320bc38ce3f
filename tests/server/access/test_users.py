"""Who has access, who decides about it, and that nothing secret is written down on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.people import NewUser, Permission, Role
from lineside.server.access.people_store import UserRow
from lineside.server.access.users import FIRST
from lineside.server.testing import FakeClock
from tests.server.access.people import PASSWORD, House, code, house

pytestmark = pytest.mark.both_databases


@pytest.fixture
def here(tmp_path: Path, clock: FakeClock, database: dict[str, Any]) -> Iterator[House]:
    with house(tmp_path / "root", clock, **database) as opened:
        yield opened


def test_the_first_start_makes_an_admin_who_chooses_a_password_by_a_link(here: House) -> None:
    assert not here.accounts.somebody_can_sign_in()
    earlier = here.accounts.first_link()
    link = here.accounts.first_link()
    assert earlier is not None
    assert link is not None
    assert link.url.startswith(here.up.people_url + "/welcome?token=")
    assert (link.user, link.url == earlier.url) == (FIRST, False)
    browser = here.browser()
    old, new = (each.url.partition("token=")[2] for each in (earlier, link))
    refused = browser.post("/api/v1/login/link", json={"link": old, "password": PASSWORD})
    assert (refused.status_code, code(refused)) == (403, "login.link_unknown")
    answer = browser.post("/api/v1/login/link", json={"link": new, "password": PASSWORD}).json()
    assert answer["who"] == {
        "name": "admin",
        "roles": ["admin"],
        "permissions": ["read", "operate", "approve", "administer"],
        "by": "session",
    }
    assert browser.get("/api/v1/me").json() == answer["who"]
    assert here.accounts.somebody_can_sign_in()
    assert here.accounts.first_link() is None
    assert here.decisions() == [
        ("control plane", "user.create", "admin"),
        ("control plane", "user.link", "admin"),
        ("control plane", "user.link", "admin"),
        ("admin", "user.password", "admin"),
        ("admin", "session.login", "admin"),
    ]


def test_an_admin_decides_who_has_access_and_each_decision_is_a_line(here: House) -> None:
    admin = here.person("ada", Role.ADMIN)
    before = len(here.audit())
    made = admin.post("/api/v1/users", json={"name": "bob", "roles": ["approver", "viewer"]})
    assert (made.status_code, made.json()["roles"], made.json()["password"]) == (201, ["viewer", "approver"], False)
    assert admin.post("/api/v1/users/bob/roles", json={"roles": ["operator"]}).json()["roles"] == ["operator"]
    link = admin.post("/api/v1/users/bob/link").json()
    assert (link["user"], "/welcome?token=" in link["url"]) == ("bob", True)
    assert admin.post("/api/v1/users/bob/disable").json()["enabled"] is False
    assert code(admin.post("/api/v1/users/bob/link")) == "user.disabled"
    assert admin.post("/api/v1/users/bob/enable").json()["enabled"] is True
    assert [each["name"] for each in admin.get("/api/v1/users").json()] == ["ada", "bob"]
    assert admin.post("/api/v1/users/bob/remove").json()["name"] == "bob"
    assert [each["name"] for each in admin.get("/api/v1/users").json()] == ["ada"]
    assert code(admin.post("/api/v1/users/bob/disable")) == "user.unknown"
    verbs = ("create", "roles", "link", "disable", "enable", "remove")
    assert here.decisions()[before:] == [("ada", f"user.{verb}", "bob") for verb in verbs]
    assert {(entry.by, entry.source) for entry in here.audit()[before:]} == {("session", "127.0.0.1")}
    events = admin.get("/api/v1/events?kind=user&limit=6").json()["events"]
    assert (events[4]["message"], events[4]["actor"]) == ("bob is now operator", "ada")


def test_only_admins_decide(here: House) -> None:
    here.person("ada", Role.ADMIN)
    other = here.person("max", Role.OPERATOR, Role.APPROVER)
    for answer in (
        other.get("/api/v1/users"),
        other.post("/api/v1/users", json={"name": "eve", "roles": ["admin"]}),
        other.post("/api/v1/users/max/roles", json={"roles": ["admin"]}),
        other.post("/api/v1/users/ada/disable"),
        other.post("/api/v1/users/ada/link"),
        other.post("/api/v1/users/ada/remove"),
    ):
        assert (answer.status_code, code(answer)) == (403, "auth.forbidden")
    stranger = here.browser()
    assert stranger.get("/api/v1/users").status_code == 401
    assert stranger.get("/api/v1/me").status_code == 401


def test_roles_count_from_the_next_request_on(here: House) -> None:
    max_ = here.person("max", Role.VIEWER)
    assert max_.get("/api/v1/users").status_code == 403
    here.accounts.users.set_roles("max", (Role.ADMIN,))
    assert max_.get("/api/v1/users").status_code == 200


def test_the_last_admin_stays(here: House) -> None:
    admin = here.person("ada", Role.ADMIN)
    here.person("max", Role.OPERATOR)
    here.accounts.users.create(_new("bea", Role.ADMIN))
    admin.post("/api/v1/users/bea/disable").raise_for_status()  # an admin who is disabled is none
    for answer in (
        admin.post("/api/v1/users/ada/disable"),
        admin.post("/api/v1/users/ada/remove"),
        admin.post("/api/v1/users/ada/roles", json={"roles": ["operator"]}),
    ):
        assert (answer.status_code, code(answer)) == (409, "user.last_admin")
    admin.post("/api/v1/users/bea/enable").raise_for_status()
    assert admin.post("/api/v1/users/ada/disable").status_code == 200
    assert admin.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("name", ["", "Ada", "-ada", "a b", "ada\n", "<b>ada", "../ada", "a" * 65, "local", "worker"])
def test_names_that_nobody_can_have(shared: House, name: str) -> None:
    answer = shared.local().post("/api/v1/users", json={"name": name, "roles": ["viewer"]})
    assert (answer.status_code, code(answer)) == (400, "user.name_bad")


def test_names_are_taken_once_and_need_a_role(here: House) -> None:
    local = here.local()
    assert local.post("/api/v1/users", json={"name": "ann@works", "roles": ["viewer"]}).status_code == 201
    assert code(local.post("/api/v1/users", json={"name": "ann@works", "roles": ["admin"]})) == "user.exists"
    assert code(local.post("/api/v1/users", json={"name": "bob", "roles": []})) == "user.no_role"
    assert local.post("/api/v1/users", json={"name": "bob", "roles": ["king"]}).status_code == 400


def test_passwords_that_cannot_be_taken(here: House) -> None:
    here.accounts.users.create(_new("long-user-name", Role.VIEWER))
    link = here.accounts.users.link("long-user-name").url.partition("token=")[2]
    browser = here.browser()
    wrong = {"": "fewer", "elevenchars": "fewer", "Long-User-Name": "it is the name", "x" * 1025: "more"}
    for password, why in wrong.items():
        answer = browser.post("/api/v1/login/link", json={"link": link, "password": password})
        assert (answer.status_code, code(answer)) == (400, "password.bad")
        assert why in answer.json()["error"]["message"]
    fine = browser.post("/api/v1/login/link", json={"link": link, "password": "aaaaaaaaaaaa"})
    assert fine.status_code == 200  # twelve characters, no other rule; and a refusal did not use the link up


def test_the_same_characters_are_the_same_password_however_a_keyboard_composes_them(here: House) -> None:
    here.person("ann", Role.VIEWER, password="caf\u00e9 au lait, s'il")
    assert here.login("ann", "cafe\u0301 au lait, s'il").status_code == 200


def test_a_password_is_kept_as_argon2id_and_made_anew_when_the_parameters_change(tmp_path: Path) -> None:
    def stored(here: House) -> str:
        with here.up.core.database.read() as session:
            return str(session.get_one(UserRow, "ann").password)

    with house(tmp_path / "root") as here:
        here.person("ann", Role.VIEWER)
        assert stored(here).startswith("$argon2id$v=19$m=64,t=1,p=1$")
    with house(tmp_path / "root", password_rounds=2) as here:
        assert here.login("ann").status_code == 200
        assert stored(here).startswith("$argon2id$v=19$m=64,t=2,p=1$")
        assert here.login("ann").status_code == 200


def test_nothing_secret_is_written_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong, mistyped = "this is not the password", "typed into the field of the name"
    root = tmp_path / "root"
    with house(root) as here:
        link = here.accounts.first_link()
        assert link is not None
        used = link.url.partition("token=")[2]
        browser = here.browser()
        browser.post("/api/v1/login/link", json={"link": used, "password": PASSWORD}).raise_for_status()
        session = browser.cookies["lineside_session"]
        token = browser.post("/api/v1/tokens", json={"name": "job", "permissions": ["read"]}).json()["token"]
        assert here.with_token(token).get("/api/v1/me").status_code == 200
        assert here.login("admin", wrong).status_code == 401
        assert here.login(mistyped, wrong).status_code == 401
        unused = here.accounts.users.link("admin").url.partition("token=")[2]
        browser = here.browser()
        assert code(browser.post("/api/v1/login", json={"name": "admin", "password": [wrong]})) == "request.invalid"
        secrets = (PASSWORD, wrong, mistyped, used, unused, session, token)
        assert here.decisions()[-2] == ("somebody", "session.refuse", "somebody unknown")
        everything = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert b"$argon2id$" in everything  # what is searched is what is stored
    for secret in secrets:
        assert secret.encode() not in everything
        assert secret not in caplog.text


def test_a_token_of_a_removed_person_is_nobodys_even_if_somebody_gets_their_name(here: House) -> None:
    here.person("ada", Role.ADMIN)
    max_ = here.person("max", Role.VIEWER)
    token = here.token("max", Permission.READ)
    here.accounts.users.remove("max")
    here.person("max", Role.ADMIN)
    assert here.with_token(token).get("/api/v1/me").status_code == 401
    assert max_.get("/api/v1/me").status_code == 401


def _new(name: str, *roles: Role) -> NewUser:
    return NewUser(name=name, roles=roles)
