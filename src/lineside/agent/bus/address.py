"""Where the bus's socket lies: `<root>/ipc.socket`, or somewhere short when that is too long for a socket address."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path

NAME = "ipc.socket"
MAX_PATH = 107
"""Bytes of the longest socket path (unix(7): sun_path is 108 bytes with its final NUL)."""


class Address:
    """The socket of one agent's root. Too long a path moves it to a short folder; `<root>/ipc.socket` then links there.

    Components run as other users, so everybody may connect; the token tells who it is.
    """

    def __init__(self, root: Path) -> None:
        self._wished = root.absolute() / NAME
        fits = len(os.fsencode(self._wished)) <= MAX_PATH
        self.path = self._wished if fits else _short_folder(root) / NAME
        self._opened = (0, 0)

    def open(self, backlog: int) -> socket.socket:
        """Listen. What an agent that was killed left there is removed; the root's lock says that it is not running."""
        if self.path != self._wished and not _ours(self.path.parent):
            raise PermissionError(errno.EACCES, "belongs to somebody else", str(self.path.parent))
        with contextlib.suppress(FileNotFoundError):
            self._wished.unlink()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            listener.bind(os.fsencode(self.path))
            self.path.chmod(0o666)
            found = self.path.stat()
            self._opened = (found.st_dev, found.st_ino)
            listener.listen(backlog)
            if self.path != self._wished:
                self._wished.symlink_to(self.path)
        except OSError:
            listener.close()
            raise
        return listener

    def there(self) -> bool:
        """Whether what lies there still is the socket that was opened."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._opened

    def close(self) -> None:
        """Remove the socket, and the folder that was made for it."""
        for path in {self.path, self._wished}:
            with contextlib.suppress(OSError):
                path.unlink()
        if self.path != self._wished:
            with contextlib.suppress(OSError):
                self.path.parent.rmdir()


def _short_folder(root: Path) -> Path:
    """A folder of ours with a short path: the same one for the same root, so that a killed agent leaves nothing."""
    name = f"lineside-{hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:12]}"
    own = [Path(value)] if (value := os.environ.get("XDG_RUNTIME_DIR")) else []
    for base in (Path("/run"), *own, Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 the folder is checked to be ours
        folder = base / name
        if len(os.fsencode(folder / NAME)) <= MAX_PATH and _ours(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="lineside-", dir="/tmp"))


def _ours(folder: Path) -> bool:
    """Whether the folder could be made, or is there and nobody else can have put anything into it."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o711)
            folder.chmod(0o711)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
