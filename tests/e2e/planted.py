"""Looking for a value everywhere it must not be: in files, texts and processes, however it was written down."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(value: str) -> dict[str, bytes]:
    """The ways in which a value might have been written; base64 at each of its three alignments in a longer text."""
    raw = value.encode()
    found = {
        "raw": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": quote(value, safe="").encode(),
        "form": quote_plus(value).encode(),
        "utf-16-le": value.encode("utf-16-le"),
        "utf-16-be": value.encode("utf-16-be"),
        "reversed": raw[::-1],
        "json": value.encode("ascii", "backslashreplace"),
    }
    for shift in range(3):
        padded = base64.b64encode(b"x" * shift + raw)
        inner = padded[4 if shift else 0 : -4]  # without what the neighbours have a part in
        found[f"base64-{shift}"] = inner
        found[f"base64url-{shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def traces(data: bytes, values: Iterable[str]) -> list[str]:
    """The forms in which any of the values is in some bytes."""
    return [name for value in values for name, form in forms(value).items() if form in data]


def in_files(folder: Path, values: Iterable[str]) -> list[str]:
    """`path (form)` of every file, and every file's name, in which a value is."""
    wanted, found = list(values), []
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found += [f"{path} ({form})" for form in traces(data + b"\0" + str(path).encode(), wanted)]
    return found


class Processes:
    """Looks at the command lines and environments of every process, again and again, until it is closed."""

    def __init__(self, values: Iterable[str]) -> None:
        self.found: set[str] = set()
        self.seen: set[int] = set()
        self._values = list(values)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.05):
            for folder in Path("/proc").iterdir():
                if folder.name.isdecimal():
                    self.seen.add(int(folder.name))
                    self.found.update(f"{folder.name} {form}" for form in traces(_shown(folder), self._values))


def _shown(folder: Path) -> bytes:
    return b"\0".join(_read(folder / name) for name in ("cmdline", "environ"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has just ended
        return b""
