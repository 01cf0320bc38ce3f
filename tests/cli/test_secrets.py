"""`lineside secrets`: a value comes from standard input or a file, never as an argument, and is never printed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.cli.main import main
from lineside.server.testing import Running, running

Run = Callable[..., Any]
VALUE = "hunter2-planted"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root") as lineside:
        yield lineside


@pytest.fixture
def lineside(here: Running, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `lineside secrets …`; its answer, or the code of its refusal."""

    def run(*arguments: str, typed: bytes = b"") -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        status = main(["secrets", *arguments, "--json", "--url", here.people_url])
        out, err = capfd.readouterr()
        assert VALUE not in out + err
        answer = json.loads(out)
        return answer["error"]["code"] if status else answer

    return run


def kept(here: Running, name: str) -> bytes:
    """The value that the control plane keeps."""
    from lineside.server.secrets.keys import SecretKeys
    from lineside.server.secrets.store import SecretRow

    with here.core.database.read() as session:
        row = session.get(SecretRow, name)
        assert row is not None
        newest = row.versions[0]
    return SecretKeys(here.core.keys / "secrets.key").open(name, newest.id, newest.kept)


def test_a_value_is_read_from_standard_input_or_a_file(here: Running, lineside: Run, tmp_path: Path) -> None:
    assert lineside("set", "line1/db", typed=f"{VALUE}\n".encode())["versions"][0]["stages"] == ["AWSCURRENT"]
    assert kept(here, "line1/db") == VALUE.encode()
    (tmp_path / "key").write_bytes(f"{VALUE}\n\xff".encode("latin-1"))
    shown = lineside("set", "line1/db", "--file", str(tmp_path / "key"))
    assert [one["stages"] for one in shown["versions"]] == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert kept(here, "line1/db") == f"{VALUE}\n\xff".encode("latin-1")
    assert lineside("set", "line1/db") == "secret.bad_value"
    assert main(["secrets", "set", "line1/db", VALUE, "--url", here.people_url]) == 2  # never an argument


def test_secrets_are_listed_shown_and_removed(here: Running, lineside: Run) -> None:
    assert lineside("list") == []
    lineside("set", "db", typed=VALUE.encode())
    (listed,) = lineside("list")
    shown = lineside("show", "db")
    assert (shown["secret"], shown["components"], shown["devices"]) == (listed, [], [])
    assert lineside("rotate-key")["versions"] == 1
    assert kept(here, "db") == VALUE.encode()
    assert lineside("remove", "db")["name"] == "db"
    assert lineside("remove", "db") == lineside("show", "db") == "secret.unknown"


def test_people_read_tables(here: Running, lineside: Run, capfd: pytest.CaptureFixture[str]) -> None:
    lineside("set", "db", typed=VALUE.encode())
    for command in (["list"], ["show", "db"], ["rotate-key"], ["remove", "db"], ["list"]):
        assert main(["secrets", *command, "--url", here.people_url]) == 0
    out = capfd.readouterr().out
    assert "No component's recipe names it." in out
    assert "db is forgotten" in out
    assert "No secret yet" in out
    assert VALUE not in out
