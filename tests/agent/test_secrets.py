"""Secrets on disk: the newest value is current, the one before is previous, nobody else may read the file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from lineside.agent.main import main
from lineside.agent.secrets import Secrets
from lineside.contract.errors import LinesideError


def test_a_new_value_is_current_and_the_one_before_previous(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    first = secrets.set("camera/password", b"one")
    second = secrets.set("camera/password", b"two")
    assert secrets.get("camera/password").text == "two"
    assert secrets.get("camera/password").version == second
    assert secrets.get("camera/password", stage="AWSPREVIOUS").text == "one"
    assert secrets.get("camera/password", version=first).stages == ("AWSPREVIOUS",)
    secrets.set("camera/password", b"three")
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        secrets.get("camera/password", version=first)
    assert secrets.names() == ["camera/password"]


def test_bytes_that_are_no_text_stay_bytes(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.set("key", b"\xff\x00")
    found = secrets.get("key")
    assert (found.text, found.data) == (None, b"\xff\x00")


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    Secrets(tmp_path / "secrets").set("../key", b"x")
    (file,) = (tmp_path / "secrets").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("id", ["db", "arn:aws:secretsmanager:eu-west-1:1:secret:db-a1B2c3"])
def test_an_arn_names_the_same_secret(tmp_path: Path, id: str) -> None:
    Secrets(tmp_path).set("db", b"x")
    assert Secrets(tmp_path).get(id).text == "x"


def test_people_set_list_and_remove_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"s3cret\n")))
    where = ["--root", str(tmp_path)]
    assert main(["secret", "set", "db", *where]) == 0
    assert "s3cret" not in capsys.readouterr().out
    assert Secrets(tmp_path / "secrets").get("db").text == "s3cret"
    assert main(["secret", "list", *where]) == 0
    assert capsys.readouterr().out == "db\n"
    assert main(["secret", "remove", "db", *where]) == 0
    assert main(["secret", "remove", "db", *where]) == 1


def test_a_secret_that_is_not_there_has_a_code(tmp_path: Path) -> None:
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        Secrets(tmp_path).get("nothing")
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        Secrets(tmp_path).remove("nothing")
