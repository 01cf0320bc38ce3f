"""Roots of this user's control planes on this machine, so that commands find the token for an address by themselves.

Only paths are kept, no secrets: `$XDG_STATE_HOME/lineside/roots.json`. Whatever cannot be kept or read is forgotten:
every command also takes `--root`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lineside.contract.reading import UNREADABLE

_MOST = 16


def remember_root(root: Path, environ: Mapping[str, str] = os.environ) -> None:
    """This root has a control plane; the newest is looked at first."""
    path, full = _file(environ), str(root.expanduser().absolute())
    kept = [full, *(str(one) for one in known_roots(environ) if str(one) != full)][:_MOST]
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(kept))
        part.replace(path)


def known_roots(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Those that still have something there, newest first."""
    try:
        kept = msgspec.json.decode(_file(environ).read_bytes(), type=list[str])
    except (OSError, *UNREADABLE):
        return []
    return [Path(one) for one in kept if (Path(one) / "server.json").exists()]


def _file(environ: Mapping[str, str]) -> Path:
    folder = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(folder).expanduser() / "lineside" / "roots.json"
