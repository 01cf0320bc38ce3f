"""A power cut: of what a killed agent left behind, take away at random what was never synced.

Names: of each directory's changes that no fsync of it covers, the last ones are undone (each directory of its own
accord, or all together as on a file system with one journal); what happened later to a name that never was, or below
it, is lost with it. Bytes: a file that was written and not synced keeps all, a part or none of them, has blocks of
zeros in it, or is what it was before. SQLite's log loses or mixes up what lies behind the last frame that is on disk.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.agent.disk.history import Change, File, History, below

_BLOCK = 512


class Disk:
    """What lay below the root before a life, and what a power cut may leave of it afterwards."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before = {path: os.lstat(path).st_ino for path in _files(root)}

    def cut(self, journal: Path, dice: random.Random) -> list[str]:
        """Apply one power cut; what it did, in words."""
        history = History(journal)
        said = [*self._strangers(history, dice), *_damage(history, dice)]
        said += [f"undone: {change.kind} {_names(change, self._root)}" for change in _undo(history, dice)]
        for database in self._root.rglob("*.db"):
            said += sqlite_tail(database, dice)
        return said

    def _strangers(self, history: History, dice: random.Random) -> Iterator[str]:
        """Files that somebody else wrote (a component, an installer): only what the agent synced afterwards is safe."""
        for path in _files(self._root):
            new = self._before.get(path) != os.lstat(path).st_ino
            ours = history.known(path) or path.name.endswith(("-wal", "-shm", ".db"))
            if new and not ours and not path.is_symlink():
                yield from damage(File(path, safe=0), dice)


def _files(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]


def _names(change: Change, root: Path) -> str:
    return " -> ".join(os.path.relpath(path, root) for path in change.paths)


# --- bytes ------------------------------------------------------------------------------------------------------------


def _damage(history: History, dice: random.Random) -> Iterator[str]:
    for file in sorted(history.unsafe(), key=lambda file: file.path):
        yield from damage(file, dice)


def damage(file: File, dice: random.Random) -> Iterator[str]:
    """Take bytes that were not synced."""
    if not file.path.is_file() or file.path.is_symlink():
        return
    size = file.path.stat().st_size
    safe = min(file.safe or 0, size)
    acts: list[Callable[[Path, int, int, random.Random], str]] = [_keep, _shorten, _zero_tail, _zero_blocks, _nothing]
    act = dice.choice(acts)
    if file.old is not None and dice.random() < 0.3:
        shutil.copyfile(file.old, file.path)
        yield f"as before: {file.path.name}"
    elif size > safe and act is not _keep:
        mode = file.path.stat().st_mode
        file.path.chmod(0o600)
        yield f"{act(file.path, safe, size, dice)}: {file.path.name}"
        file.path.chmod(mode & 0o7777)


def _keep(path: Path, safe: int, size: int, dice: random.Random) -> str:
    return "kept"


def _shorten(path: Path, safe: int, size: int, dice: random.Random) -> str:
    os.truncate(path, dice.randint(safe, size))
    return "shortened"


def _nothing(path: Path, safe: int, size: int, dice: random.Random) -> str:
    os.truncate(path, safe)
    return "lost"


def _zero_tail(path: Path, safe: int, size: int, dice: random.Random) -> str:
    start = dice.randint(safe, size)
    os.truncate(path, start)
    os.truncate(path, size)
    return "tail of zeros"


def _zero_blocks(path: Path, safe: int, size: int, dice: random.Random) -> str:
    with path.open("rb+") as file:
        for start in range(safe - safe % _BLOCK, size, _BLOCK):
            if dice.random() < 0.5:
                begin, end = max(start, safe), min(start + _BLOCK, size)
                file.seek(begin)
                file.write(bytes(end - begin))
    return "blocks of zeros"


# --- names ------------------------------------------------------------------------------------------------------------


def _undo(history: History, dice: random.Random) -> list[Change]:
    """Undo what was chosen, last first; what was undone."""
    chosen = set(_chosen(history.changes, dice))
    moves: list[tuple[Path, ...]] = []  # renames that stay, latest first
    for change in reversed(history.changes):
        if change in chosen:
            with contextlib.suppress(OSError):  # a directory above it went first, or the kill came before the change
                _undo_one(change, [_now(path, moves) for path in change.paths])
        elif change.kind == "rename":
            moves.append(change.paths)
    return [change for change in reversed(history.changes) if change in chosen]


def _now(path: Path, moves: list[tuple[Path, ...]]) -> Path:
    """Where something is now that was called so before these moves."""
    for old, new in reversed(moves):
        if below(path, old):
            path = new / path.relative_to(old)
    return path


def _chosen(changes: list[Change], dice: random.Random) -> list[Change]:
    """Unsynced changes from some point on, for each directory or for all together, and what rests on them."""
    together = dice.random() < 0.5
    first = max((number for number, change in enumerate(changes) if change.safe), default=-1) + 1 if together else 0
    common = dice.randint(first, len(changes))
    cuts: dict[Path, int] = {}
    gone: list[Path] = []
    chosen = []
    for number, change in enumerate(changes):
        folder = change.paths[-1].parent
        cut = common if together else cuts.setdefault(folder, dice.randint(0, len(changes)))
        falls = (not change.safe and number >= cut) or any(below(path, one) for path in change.paths for one in gone)
        if falls:
            gone += change.paths
            chosen.append(change)
    return chosen


def _undo_one(change: Change, paths: list[Path]) -> None:
    path = paths[-1]
    if change.kind == "rename":
        if not os.path.lexists(paths[0]):
            path.rename(paths[0])
        _put_back(change, path)
    elif change.kind == "unlink":
        _put_back(change, path)
    elif change.kind == "mkdir":
        shutil.rmtree(path)
    elif change.kind == "rmdir":
        path.mkdir()
    else:
        path.unlink()


def _put_back(change: Change, path: Path) -> None:
    if change.kept is not None and not os.path.lexists(path):
        change.kept.rename(path)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def sqlite_tail(database: Path, dice: random.Random) -> list[str]:
    """Mix up what of the write-ahead log is not known to be on disk, and drop its index, which never was.

    With `synchronous=FULL` SQLite syncs the log before it counts a commit's frames in the index, so the index that a
    killed process leaves behind says exactly which frames are safe (sqlite.org/walformat.html, "WAL-Index Header").
    The database file itself is left alone: what a broken-off checkpoint wrote there is still in the log.
    """
    log, index = (database.with_name(f"{database.name}-{end}") for end in ("wal", "shm"))
    if not log.exists() or not index.exists():
        return []
    header = index.read_bytes()[:48]
    index.unlink()
    if len(header) < 48 or not header[12]:
        return []
    (page,) = struct.unpack_from("=H", header, 14)
    (frames,) = struct.unpack_from("=I", header, 16)
    page = 65536 if page == 1 else page
    safe = 32 + frames * (page + 24) if frames else 0
    return list(damage(File(log, safe=safe), dice))
