"""Which control plane a command talks to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.cli import connection
from lineside.cli.connection import DEFAULT_URL, Found, Server, alive, find, find_url, option_of, read_server
from lineside.cli.roots import known_roots, remember_root
from lineside.cli.saved import Saved, keep
from lineside.contract.errors import LinesideError
from tests.cli.control_plane import CannedControlPlane


def _root(folder: Path, url: str, pid: int = 1) -> Path:
    folder.mkdir()
    server = Server(pid=pid, people_url=url, device_url="https://127.0.0.1:8443", mqtt_port=8883, ca_sha256="ff")
    (folder / "server.json").write_bytes(msgspec.json.encode(server))
    return folder


def test_the_nearest_word_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEFAULT_ROOT", tmp_path / "nothing")
    asked = _root(tmp_path / "asked", "http://127.0.0.1:1")
    around = _root(tmp_path / "around", "http://127.0.0.1:2")
    environ = {"LINESIDE_URL": "http://127.0.0.1:3", "LINESIDE_ROOT": str(around)}
    assert find_url("http://127.0.0.1:4", asked, environ) == "http://127.0.0.1:4"
    assert find_url(None, asked, environ) == "http://127.0.0.1:1"
    assert find_url(None, None, environ) == "http://127.0.0.1:3"
    assert find_url(None, None, {"LINESIDE_ROOT": str(around)}) == "http://127.0.0.1:2"
    assert find_url(None, None, {}) == DEFAULT_URL


def test_the_default_root_counts_only_while_its_control_plane_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not alive(gone.pid)
    monkeypatch.setattr(connection, "DEFAULT_ROOT", _root(tmp_path / "old", "http://127.0.0.1:5", gone.pid))
    assert find_url(None, None, {}) == DEFAULT_URL
    monkeypatch.setattr(connection, "DEFAULT_ROOT", _root(tmp_path / "live", "http://127.0.0.1:6", os.getpid()))
    assert find_url(None, None, {}) == "http://127.0.0.1:6"


def test_a_torn_or_absent_server_file_says_nothing(tmp_path: Path) -> None:
    assert read_server(tmp_path) is None
    (tmp_path / "server.json").write_text('{"pid":')
    assert read_server(tmp_path) is None


def _with_token(root: Path, token: str = "lsl_of_the_root") -> Path:
    (root / "keys").mkdir()
    (root / "keys" / "local.token").write_text(f"{token}\n")
    return root


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """No default root, and nothing saved."""
    monkeypatch.setattr(connection, "DEFAULT_ROOT", tmp_path / "nothing")
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}


def test_the_token_of_a_root_goes_to_its_own_control_plane_only(tmp_path: Path, environ: dict[str, str]) -> None:
    root = _with_token(_root(tmp_path / "root", "http://127.0.0.1:1", os.getpid()))
    assert find(None, root, environ).token == "lsl_of_the_root"
    assert find("http://127.0.0.1:1/", root, environ).token == "lsl_of_the_root"
    assert find("http://127.0.0.1:2", root, environ).token is None
    around = environ | {"LINESIDE_ROOT": str(root)}
    assert find(None, None, around).token == "lsl_of_the_root"
    assert find("http://127.0.0.1:1", None, around).token == "lsl_of_the_root"
    assert find("http://127.0.0.1:2", None, around).token is None
    assert find("http://127.0.0.1:1", None, environ).token is None


def test_the_default_root_is_looked_at_too(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _with_token(_root(tmp_path / "root", "http://127.0.0.1:1", os.getpid()))
    monkeypatch.setattr(connection, "DEFAULT_ROOT", root)
    assert find(None, None, environ).token == "lsl_of_the_root"
    assert find("http://127.0.0.1:1", None, environ).token == "lsl_of_the_root"


def test_a_root_whose_control_plane_has_ended_gives_no_token_away(tmp_path: Path, environ: dict[str, str]) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    root = _with_token(_root(tmp_path / "root", "http://127.0.0.1:1", gone.pid))
    remember_root(root, environ)
    assert find("http://127.0.0.1:1", None, environ) == Found(url="http://127.0.0.1:1")


def test_a_named_root_on_which_none_runs_is_refused_and_nobody_else_is_asked(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    other = _with_token(_root(tmp_path / "other", DEFAULT_URL, os.getpid()))
    remember_root(other, environ)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ended = _root(tmp_path / "ended", DEFAULT_URL, gone.pid)
    for root in (tmp_path / "nothing", ended):
        with pytest.raises(LinesideError, match="root_not_up") as refused:
            find(None, root, environ)
        assert refused.value.next.startswith(f"Start it: lineside up --root {root}")
        with pytest.raises(LinesideError, match="root_not_up"):
            find(None, None, environ | {"LINESIDE_ROOT": str(root)})


def test_a_token_in_the_environment_beats_all_but_the_root_that_was_named(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    root = _with_token(_root(tmp_path / "root", "http://127.0.0.1:1", os.getpid()))
    given = environ | {"LINESIDE_TOKEN": "given"}
    assert find(None, None, given | {"LINESIDE_ROOT": str(root)}).token == "given"
    assert find(None, root, given).token == "lsl_of_the_root"
    assert find("https://plant.example", None, given) == Found(url="https://plant.example", token="given")


def test_what_login_saved_is_found_by_its_address(tmp_path: Path, environ: dict[str, str]) -> None:
    keep("https://plant.example", Saved(token="saved", ca="PEM"), environ)
    assert find("https://plant.example/", None, environ) == Found(url="https://plant.example", token="saved", ca="PEM")
    (tmp_path / "ca.pem").write_text("another")
    assert find("https://plant.example", None, environ | {"LINESIDE_CA": str(tmp_path / "ca.pem")}).ca == "another"
    with pytest.raises(LinesideError, match="file_unreadable"):
        find("https://plant.example", None, environ | {"LINESIDE_CA": str(tmp_path / "none.pem")})


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(Found(url="http://127.0.0.1:1", token="secret"))


def test_a_client_sends_its_token(plane: CannedControlPlane) -> None:
    Found(url=plane.url, token="mine").client().overview()
    Found(url=plane.url).client().overview()
    assert [asked.authorization for asked in plane.asked] == ["Bearer mine", None]


def test_commands_are_told_of_a_root_that_is_not_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEFAULT_ROOT", tmp_path / "default")
    assert option_of(tmp_path / "default") == ""
    assert option_of(tmp_path / "an other") == f" --root '{tmp_path}/an other'"


def test_a_control_plane_this_user_started_is_known_by_its_address(tmp_path: Path, environ: dict[str, str]) -> None:
    root = _with_token(_root(tmp_path / "root", "http://127.0.0.1:1", os.getpid()))
    other = _with_token(_root(tmp_path / "other", DEFAULT_URL, os.getpid()), "lsl_of_the_other")
    remember_root(root, environ)
    remember_root(other, environ)
    remember_root(root, environ)
    assert known_roots(environ) == [root, other]
    assert find("http://127.0.0.1:1", None, environ).token == "lsl_of_the_root"
    assert find(None, None, environ).token == "lsl_of_the_other"
    (other / "server.json").unlink()
    assert known_roots(environ) == [root]
    assert find(None, None, environ).token is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"\xff", b"[1]"])
def test_a_damaged_list_of_roots_is_forgotten(tmp_path: Path, environ: dict[str, str], content: bytes) -> None:
    (tmp_path / "state" / "lineside").mkdir(parents=True)
    (tmp_path / "state" / "lineside" / "roots.json").write_bytes(content)
    assert known_roots(environ) == []
    remember_root(_root(tmp_path / "root", DEFAULT_URL), environ)
    assert known_roots(environ) == [tmp_path / "root"]
