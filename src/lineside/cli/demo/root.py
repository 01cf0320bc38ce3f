"""The demo's folder: the control plane's root, with what is the demo's own below `demo/`."""

from __future__ import annotations

import fcntl
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from lineside.contract.errors import LinesideError

DEFAULT = Path("lineside-demo")


@dataclass(frozen=True)
class DemoRoot:
    """A root this process holds, until the context is left or the process ends."""

    path: Path
    lock: IO[str]

    def __enter__(self) -> DemoRoot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.close()

    @property
    def logs(self) -> Path:
        return self.path / "demo" / "logs"

    @property
    def rendered(self) -> Path:
        return self.path / "demo" / "rendered-tags"

    def line(self, day: str) -> Path:
        """Pictures of the demo's line on a day."""
        return self.path / "demo" / f"line-{day}"

    @property
    def told(self) -> Path:
        """There once this root's line has changed: it cannot change from what it was a second time."""
        return self.path / "demo" / "line-changed"

    @property
    def fed(self) -> Path:
        return self.path / "demo" / "fed.json"

    @property
    def devices(self) -> Path:
        return self.path / "demo" / "devices"

    def device(self, name: str) -> Path:
        """The agent root of one of the demo's devices."""
        return self.devices / name


def hold_root(wanted: Path | None, *, fresh: bool = False) -> DemoRoot:
    """The named root, or the first free one of `lineside-demo`, `lineside-demo-2`, …; `fresh`: one whose line has not
    changed yet.

    Raises `start.root_in_use` for a named one that is busy, `start.root_read_only` for one that cannot be written,
    `demo.told_before` for a named one that is not fresh.
    """
    if wanted is not None:
        return _fresh(_hold(wanted.expanduser().resolve()), fresh)
    for number in itertools.count(1):
        candidate = DEFAULT if number == 1 else Path(f"{DEFAULT}-{number}")
        try:
            return _fresh(_hold(candidate.resolve()), fresh)
        except LinesideError as error:
            if error.code not in ("start.root_in_use", "demo.told_before"):
                raise
    raise AssertionError("there is always a next number")


def _fresh(root: DemoRoot, wanted: bool) -> DemoRoot:
    if wanted and root.told.exists():
        root.lock.close()
        raise LinesideError("demo.told_before", root=root.path)
    return root


def _hold(root: Path) -> DemoRoot:
    try:
        (root / "demo").mkdir(parents=True, exist_ok=True)
        _lock(root, root / "lock").close()  # a control plane somebody started by hand
        lock = _lock(root, root / "demo" / "lock")
    except OSError as why:
        raise LinesideError("start.root_read_only", root=root, why=why.strerror) from why
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return DemoRoot(root, lock)


def _lock(root: Path, file: Path) -> IO[str]:
    stream = file.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        pid = stream.read().strip()
        stream.close()
        raise LinesideError("start.root_in_use", root=root, pid=pid or "unknown") from None
    return stream
