"""Labels that the device's own configuration gives it: lines `key=value` of the file `labels` below its root.

`lineside agent join --label` writes them; whoever makes disk images may too. The control plane takes them for
suggestions: a person's label of the same key wins.
"""

from __future__ import annotations

from collections.abc import Iterable

from lineside.agent.durable import write_atomically
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError
from lineside.contract.facts import is_fact
from lineside.contract.selector import KEY

_LONGEST, _MOST = 255, 64


def load(paths: Paths) -> dict[str, str]:
    """The labels of the file; lines that cannot be labels are passed over."""
    try:
        lines = paths.labels.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = [line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#")]
    found = {key.strip(): value.strip() for key, _, value in pairs}
    return {key: value for key, value in list(found.items())[:_MOST] if not _wrong(key, value)}


def save(paths: Paths, words: Iterable[str]) -> None:
    """Write `key=value` words as the device's labels. Raises `label.invalid`, `label.is_fact`."""
    labels = dict(_read(word) for word in words)
    write_atomically(paths.labels, "".join(f"{key}={value}\n" for key, value in labels.items()).encode())


def check(words: Iterable[str]) -> None:
    """Raises `label.invalid`, `label.is_fact`."""
    for word in words:
        _read(word)


def _read(word: str) -> tuple[str, str]:
    key, sign, value = (part.strip() for part in word.partition("="))
    if is_fact(key):
        raise LinesideError("label.is_fact", key=key)
    why = _wrong(key, value) if sign else "it is not KEY=VALUE"
    if why:
        raise LinesideError("label.invalid", key=repr(word[:80]), why=why)
    return key, value


def _wrong(key: str, value: str) -> str:
    if KEY.fullmatch(key) is None or is_fact(key):
        return "its key has other characters, or too many"
    return "" if len(value) <= _LONGEST and value.isprintable() else "its value has other characters, or too many"
