"""What a watch must still know after a restart, in a folder: open windows, those that wait for a broker, and of each
source and model what is usual there. All of it may be lost, and then begins anew: what is wrong here ends no run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from lineside.contract.drift import DriftWindow
from lineside.contract.drift_distance import Held, Usual
from lineside.contract.drift_judge import Judge
from lineside.contract.drift_usual import Seen
from lineside.contract.reading import UNREADABLE
from lineside.runtime.files import write_atomic
from lineside.runtime.model import ModelIdentity

KEPT = 30 * 86400.0
"""Seconds after which what is usual for a model that no longer decides is forgotten."""

T = TypeVar("T")


class _Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Of one source and model: which quantities were far of late, and what is usual once the week is over."""

    held: Held
    usual: Usual | None = None


class Keeping:
    """One folder of one watch. Raises OSError where it cannot write; what cannot be read is as if it were not there."""

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        self._folder, self._now = folder, now

    def clean(self) -> None:
        """Forgets models that have not decided for `KEPT`."""
        for path in self._folder.glob("*.json*"):
            with suppress(OSError):
                if path.name[0] != "." and self._now() - path.stat().st_mtime > KEPT:
                    path.unlink(missing_ok=True)

    def windows(self, name: str) -> list[DriftWindow]:
        """The windows of a list: `open` or `waiting`."""
        return self._read(f"{name}.json", list[DriftWindow]) or []

    def keep_windows(self, name: str, windows: Sequence[DriftWindow]) -> None:
        """Replaces a list."""
        self._write(f"{name}.json", windows)

    def judge(self, source: str, model: ModelIdentity, tests: Usual | None, held: Held) -> Judge:
        """The judge of a source and a model, as it was; or a new one with `held`, which begins with the tests."""
        name = _name(source, model)
        standing = self._read(f"{name}.json", _Standing)
        if standing is not None and (standing.held.k, standing.held.n) == (held.k, held.n):
            held = standing.held
        usual = standing.usual if standing is not None and standing.usual is not None else tests
        return Judge(usual, week=() if usual is not None and usual.field else self._week(name), held=held)

    def keep_judge(self, source: str, model: ModelIdentity, judge: Judge, accepted: Seen | None) -> None:
        """Notes what a window has changed: a line more of the week, or what is usual at its end."""
        name, usual = _name(source, model), judge.usual
        over = usual is not None and usual.field
        self._write(f"{name}.json", _Standing(held=judge.held, usual=usual if over else None))
        week = self._folder / f"{name}.week.jsonl"
        if over:
            week.unlink(missing_ok=True)
        elif accepted is not None:
            with week.open("ab") as file:
                file.write(msgspec.json.encode(accepted) + b"\n")

    def _week(self, name: str) -> list[Seen]:
        found = []
        with suppress(OSError):
            for line in (self._folder / f"{name}.week.jsonl").read_bytes().splitlines():
                with suppress(*UNREADABLE):  # the last one, after a power cut
                    found.append(msgspec.json.decode(line, type=Seen))
        return found

    def _read(self, name: str, kind: type[T]) -> T | None:
        with suppress(OSError, *UNREADABLE):
            return msgspec.json.decode((self._folder / name).read_bytes(), type=kind)
        return None

    def _write(self, name: str, value: object) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._folder / name, msgspec.json.encode(value))


def _name(source: str, model: ModelIdentity) -> str:
    whole = f"{model.name}:{model.version} {model.digest} {source}"
    return "usual-" + hashlib.sha256(whole.encode()).hexdigest()[:16]
