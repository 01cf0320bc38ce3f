"""Which control plane a command talks to, and as whom."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lineside.cli.roots import known_roots
from lineside.cli.saved import find as find_saved
from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

DEFAULT_URL = "http://127.0.0.1:8400"
DEFAULT_ROOT = Path("~/.lineside")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a running control plane writes to `server.json` under its root once it is ready."""

    pid: int
    people_url: str
    device_url: str
    mqtt_port: int | None = None
    ca_sha256: str
    people_ca: str | None = None  # PEM certificates that `people_url` is checked against, when it is https


def read_server(root: Path) -> Server | None:
    """The control plane that last became ready on this root, or None when there was none."""
    try:
        return msgspec.json.decode((root / "server.json").read_bytes(), type=Server)
    except (OSError, *UNREADABLE):
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


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a control plane is, and as whom one comes to it."""

    url: str
    token: str | None = field(default=None, repr=False)  # None: as a stranger
    ca: str | None = field(default=None, repr=False)  # PEM certificates an https address is checked against

    def client(self) -> Client:
        """A client for it."""
        return Client(self.url, self.token, self.ca)


def find(url: str | None, root: Path | None, environ: Mapping[str, str] = os.environ) -> Found:
    """The control plane of `find_url`, and the token for it.

    The token is that of `--root`, else LINESIDE_TOKEN, else that of a root of this user whose control plane has this
    very address, else the one `lineside login` saved for it. A root's token is never sent to another address, nor when
    its control plane has ended: somebody else may listen there. Raises `cli.root_not_up`.
    """
    wanted = find_url(url, root, environ).rstrip("/")
    if root and (found := of_root(root)) and found.url == wanted:
        return found
    saved = find_saved(wanted, environ)
    near = next((found for found in map(of_root, _roots(environ)) if found and found.url == wanted), Found(url=wanted))
    ca = _text(environ["LINESIDE_CA"]) if environ.get("LINESIDE_CA") else near.ca or (saved.ca if saved else None)
    token = environ.get("LINESIDE_TOKEN") or near.token or (saved.token if saved else None)
    return Found(url=wanted, token=token, ca=ca)


def of_root(root: Path) -> Found | None:
    """The control plane that runs on a root of this machine, with that root's token; None when none does."""
    root = root.expanduser()
    server = read_server(root)
    if server is None or not alive(server.pid):
        return None
    try:
        token = (root / "keys" / "local.token").read_text().strip()
    except (OSError, UnicodeDecodeError):  # somebody else's root: its address may be known, its token may not
        token = None
    return Found(url=server.people_url, token=token, ca=server.people_ca)


def first_link(root: Path) -> str | None:
    """Where the first admin of a control plane on this machine chooses a password; None once somebody has."""
    try:
        return (root / "keys" / "first.link").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def option_of(root: Path) -> str:
    """What a command on this machine is told, so that it finds the control plane of `root` and may use it."""
    near = root.expanduser().resolve() == DEFAULT_ROOT.expanduser().resolve()
    return "" if near else f" --root {shlex.quote(str(root))}"


def find_url(url: str | None, root: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """`--url`, the control plane of `--root`, then the same two from the environment, then the default root's, then the
    default address. A default root whose control plane has ended says nothing; one that was named raises
    `cli.root_not_up`: at the default address another plant may answer."""
    if url:
        return url
    if root:
        return _url_of(root)
    if environ.get("LINESIDE_URL"):
        return environ["LINESIDE_URL"]
    if environ.get("LINESIDE_ROOT"):
        return _url_of(Path(environ["LINESIDE_ROOT"]))
    server = read_server(DEFAULT_ROOT.expanduser())
    return server.people_url if server and alive(server.pid) else DEFAULT_URL


def _url_of(root: Path) -> str:
    server = read_server(root.expanduser())
    if server is None or not alive(server.pid):
        raise LinesideError("cli.root_not_up", root=root)
    return server.people_url


def _roots(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("LINESIDE_ROOT")
    return [*([Path(named)] if named else []), DEFAULT_ROOT, *known_roots(environ)]


def _text(file: str) -> str:
    try:
        return Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("cli.file_unreadable", file=file, why=error) from error
