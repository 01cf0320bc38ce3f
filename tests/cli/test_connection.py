"""Which control plane a command talks to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.cli import connection
from lineside.cli.connection import DEFAULT_URL, Server, alive, find_url, read_server


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
