"""Where `lineside login` keeps API tokens: one file below the user's configuration, which only they can read."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """How a control plane is reached after `lineside login`."""

    token: str | None = None
    made: bool = False  # by `lineside login` for itself: `lineside logout` revokes it
    ca: str | None = None  # PEM of the CA that its certificate must come from; None: those the system trusts

    def __repr__(self) -> str:
        return "Saved()"


def file(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/lineside/logins.json`."""
    folder = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "lineside" / "logins.json"


def find(url: str, environ: Mapping[str, str] = os.environ) -> Saved | None:
    """What is kept for a control plane."""
    return _read(file(environ)).get(_key(url))


def keep(url: str, saved: Saved, environ: Mapping[str, str] = os.environ) -> Path:
    """Keep it; answers the file. Raises `cli.file_unwritable`."""
    with _changing(file(environ)) as logins:
        logins[_key(url)] = saved
    return file(environ)


def forget(url: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Forget it; answers whether anything was kept. Raises `cli.file_unwritable`."""
    if find(url, environ) is None:
        return False
    with _changing(file(environ)) as logins:
        return logins.pop(_key(url), None) is not None


def _key(url: str) -> str:
    return url.rstrip("/").lower()


def _read(path: Path) -> dict[str, Saved]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Saved])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, *UNREADABLE) as error:
        raise LinesideError("cli.file_unreadable", file=path, why=error) from error


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, Saved]]:
    """What is kept, to be changed; written beside the file and renamed in, one process at a time."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            logins = _read(path)
            yield logins
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(logins)))
                stream.flush()
                os.fsync(stream.fileno())  # else a power cut may leave an empty file, which no command can read
            part.replace(path)
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=path, why=error.strerror) from error
