"""Which control plane a command talks to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

DEFAULT_URL = "http://127.0.0.1:8400"
DEFAULT_ROOT = Path("~/.lineside")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a running control plane writes to `server.json` under its root once it is ready."""

    pid: int
    people_url: str
    device_url: str
    mqtt_port: int | None = None
    ca_sha256: str


def read_server(root: Path) -> Server | None:
    """The control plane that last became ready on this root, or None when there was none."""
    try:
        return msgspec.json.decode((root / "server.json").read_bytes(), type=Server)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def alive(pid: int) -> bool:
    """Whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def find_url(url: str | None, root: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """`--url`, the control plane of `--root`, then the same two from the environment, then the default root's, then the
    default address. A default root whose control plane has ended says nothing."""
    if url:
        return url
    if root:
        return _url_of(root) or DEFAULT_URL
    if environ.get("LINESIDE_URL"):
        return environ["LINESIDE_URL"]
    if environ.get("LINESIDE_ROOT"):
        return _url_of(Path(environ["LINESIDE_ROOT"])) or DEFAULT_URL
    server = read_server(DEFAULT_ROOT.expanduser())
    return server.people_url if server and alive(server.pid) else DEFAULT_URL


def _url_of(root: Path) -> str | None:
    server = read_server(root.expanduser())
    return server.people_url if server else None
