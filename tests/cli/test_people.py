"""Signing in from the command line, and what admins do there, against a control plane with real accounts."""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.cli import saved
from lineside.cli.main import main
from lineside.contract.people import Role
from tests.server.access.people import PASSWORD, House, house

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("people") / "root") as opened:
        opened.person("ada", Role.ADMIN)
        yield opened


@pytest.fixture
def lineside(here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `lineside …` as somebody with an empty home: what came of it, on both outputs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LINESIDE_URL", here.up.people_url)
    monkeypatch.delenv("LINESIDE_TOKEN", raising=False)
    monkeypatch.delenv("LINESIDE_ROOT", raising=False)

    def run(*arguments: str, typed: str = "", token: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        if token:
            monkeypatch.setenv("LINESIDE_TOKEN", token)
        status = main(arguments)
        monkeypatch.delenv("LINESIDE_TOKEN", raising=False)
        out, err = capfd.readouterr()
        return status, out, err

    return run


def answered(outcome: tuple[int, str, str]) -> Any:
    assert outcome[0] == 0, outcome
    return json.loads(outcome[1])


def test_somebody_new_signs_in_by_their_link_and_out_again(here: House, lineside: Run, tmp_path: Path) -> None:
    made = answered(
        lineside("users", "create", "ann", "--role", "operator", "--role", "viewer", "--json", token="local")
    )
    assert made["user"]["roles"] == ["viewer", "operator"]
    status, out, err = lineside("login", made["link"]["url"], typed=f"{PASSWORD}\n")
    assert (status, "ann" in out, err) == (0, True, "")
    file = tmp_path / "config" / "lineside" / "logins.json"
    kept = saved.find(here.up.people_url)
    assert kept is not None
    assert kept.token is not None
    assert kept.token not in out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert answered(lineside("whoami", "--json"))["name"] == "ann"
    status, _, err = lineside("users", "list")
    assert (status, "administer" in err) == (1, True)
    answered(lineside("logout", "--json"))
    assert here.with_token(kept.token).get("/api/v1/me").status_code == 401
    assert lineside("whoami")[0] == 1
    assert "No login" in lineside("logout")[2]


def test_signing_in_by_name_and_password(here: House, lineside: Run) -> None:
    status, out, err = lineside("login", here.up.people_url, typed="ada\nnot the password\n")
    assert (status, out, "do not fit" in err) == (1, "", True)
    assert saved.find(here.up.people_url) is None
    kept = answered(lineside("login", here.up.people_url + "/", "--name", "ada", "--json", typed=f"{PASSWORD}\n"))
    assert (kept["who"]["name"], kept["who"]["by"], kept["url"]) == ("ada", "token", here.up.people_url)
    answered(lineside("login", here.up.people_url, "--name", "ada", "--json", typed=f"{PASSWORD}\n"))
    (token,) = answered(lineside("tokens", "list", "--json"))  # the one before was revoked
    assert token["name"].startswith("lineside on ")
    answered(lineside("users", "password", "--json", typed=f"{PASSWORD}\nanother password\n"))
    assert here.login("ada", "another password").status_code == 200
    answered(lineside("users", "password", "--json", typed=f"another password\n{PASSWORD}\n"))


def test_signing_in_with_a_token_from_standard_input(here: House, lineside: Run) -> None:
    made = answered(
        lineside("tokens", "create", "a job", "--may", "read", "--days", "1", "--user", "ada", "--json", token="local")
    )
    assert lineside("login", here.up.people_url, "--token", typed="lsu_wrong\n")[0] == 1
    assert saved.find(here.up.people_url) is None
    kept = answered(lineside("login", here.up.people_url, "--token", "--json", typed=made["token"] + "\n"))
    assert kept["who"]["permissions"] == ["read"]
    status, out, _ = lineside("whoami")
    assert (status, "ada" in out, "read" in out) == (0, True, True)
    assert lineside("logout")[0] == 0
    assert here.with_token(made["token"]).get("/api/v1/me").status_code == 200  # it is not this command's to revoke
    answered(lineside("login", here.up.people_url, "--token", "--json", typed=made["token"] + "\n"))
    assert answered(lineside("tokens", "revoke", made["about"]["id"], "--json"))["name"] == "a job"
    assert lineside("whoami")[0] == 1
    assert lineside("logout")[0] == 0  # what is good no more is forgotten all the same


def test_what_admins_do(here: House, lineside: Run) -> None:
    def admin(*arguments: str) -> Any:
        return answered(lineside(*arguments, "--json", token="local"))

    admin("users", "create", "bob", "--role", "viewer")
    assert admin("users", "roles", "bob", "operator", "approver")["roles"] == ["operator", "approver"]
    assert admin("users", "disable", "bob")["enabled"] is False
    assert admin("users", "enable", "bob")["enabled"] is True
    assert "/welcome?token=" in admin("users", "link", "bob")["url"]
    assert "bob" in [user["name"] for user in admin("users", "list")]
    status, out, _ = lineside("users", "list", token="local")
    assert (status, "operator, approver" in out, "nothing yet" in out) == (0, True, True)
    assert admin("users", "remove", "bob")["name"] == "bob"
    status, _, err = lineside("users", "disable", "ada", token="local")
    assert (status, "last admin" in err) == (1, True)
    assert lineside("users", "create", "bob", "--role", "king", token="local")[0] == 2


def test_a_link_and_a_token_are_printed_in_one_piece(lineside: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = lineside("users", "link", "ada", token="local")[1]
    assert [line for line in out.splitlines() if re.fullmatch(r"http://.*/welcome\?token=[\w-]{43}", line)]
    out = lineside("tokens", "create", "job", "--may", "read", "--user", "ada", token="local")[1]
    assert [line for line in out.splitlines() if re.fullmatch(r"lsu_[\w-]{43}", line)]


@pytest.mark.parametrize("address", ["localhost:8400", "ftp://host", "https://", "not an address"])
def test_what_is_no_address(lineside: Run, address: str) -> None:
    status, _, err = lineside("login", address)
    assert (status, "no address" in err) == (1, True)


def test_a_damaged_file_of_logins_says_so(lineside: Run, tmp_path: Path) -> None:
    file = tmp_path / "config" / "lineside" / "logins.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    status, _, err = lineside("whoami")
    assert (status, str(file) in err.replace("\n", "")) == (1, True)
