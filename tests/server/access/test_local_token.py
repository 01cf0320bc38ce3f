"""On the control plane's own machine: whoever can read its root is an admin, its worker is its worker, others wait."""

from __future__ import annotations

import asyncio
import shlex
import stat
import sys
from pathlib import Path

import httpx
import pytest

from lineside.contract.errors import LinesideError
from lineside.server.access.authentication import Credentials
from lineside.server.access.caller import Caller
from lineside.server.access.local_token import Doorkeepers, LocalTokens, local_token
from lineside.server.access.testing import Listed
from lineside.server.testing import until
from tests.server.processes import ControlPlaneProcess

FREE = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")

TELLING = """
import os, pathlib, sys
root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
(root / "token.new").write_text(os.environ["LINESIDE_TOKEN"])
(root / "token.new").rename(root / "token")
while sys.stdin.read(1): pass
"""


def test_the_token_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    token = local_token(tmp_path)
    assert local_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "local.token").stat().st_mode) == 0o600
    assert len(token) > 40


@pytest.mark.parametrize("content", [b"", b"\n", b"lsl_short", b"\xff\xfe", b"x" * 60])
def test_a_damaged_token_file_is_refused_not_believed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "local.token").write_bytes(content)
    with pytest.raises(LinesideError, match=r"access\.key_damaged"):
        local_token(tmp_path)


def test_only_the_whole_token_counts(tmp_path: Path) -> None:
    token = local_token(tmp_path)
    door = Doorkeepers(LocalTokens(token, "lsw_worker"), Listed({"other": Caller(name="another", by="session")}))

    def who(**shown: str) -> str | None:
        found = asyncio.run(door.who(Credentials(**shown)))
        return found.name if found else None

    assert who(token=token) == "local"
    assert who(token="lsw_worker") == "worker"
    assert who(token="other") == "another"
    for wrong in ("", token[:-1], token + "x", token.upper(), "ä"):
        assert who(token=wrong) is None
    assert who(session=token) is None
    assert who() is None


def test_a_real_control_plane_lets_in_its_owner_and_its_worker_and_nobody_else(tmp_path: Path) -> None:
    worker = shlex.join([sys.executable, "-c", TELLING])
    told = tmp_path / "r" / "worker" / "token"
    with ControlPlaneProcess(tmp_path / "r", *FREE, worker=worker) as lineside:
        until(told.exists)
        api = f"{lineside.url}/api/v1"
        as_worker = {"Authorization": f"Bearer {told.read_text()}"}
        assert httpx.get(f"{api}/runs").status_code == 401
        assert httpx.get(f"{api}/runs", headers=lineside.local).status_code == 200
        assert httpx.post(f"{api}/runs/claim", json={"worker": "w"}, headers=as_worker).status_code == 204
        refused = httpx.post(f"{api}/devices/tokens", json={}, headers=as_worker)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "auth.forbidden")
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _mine(path, tmp_path)]
        assert lines
        assert not [line for line in lines if told.read_bytes() in line]
        before = told.read_text()
    with ControlPlaneProcess(tmp_path / "r", worker=worker) as again:
        assert httpx.get(f"{again.url}/api/v1/runs", headers=again.local).status_code == 200
        until(lambda: told.read_text() != before)
        assert httpx.get(f"{again.url}/api/v1/runs", headers=as_worker).status_code == 401


def _mine(path: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in path.read_bytes()
    except OSError:
        return False
