"""A kept image on its device's disk: as it is, or sealed for the device's own key.

A sealed one is a line that says so, then a `Sealed` as JSON. Whoever writes it knows only the device's certificate;
only whoever has the device's private key reads it.
"""

from __future__ import annotations

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.contract.sealing import Sealed

_HEAD = b"lineside.sealed/1\n"  # no image begins so
BEGINNING = 128


def about(capture: str) -> str:
    """What the box of a capture's image says it holds."""
    return f"capture {capture}"


def packed(box: Sealed) -> bytes:
    """The file of a sealed image."""
    return _HEAD + msgspec.json.encode(box)


def is_for(beginning: bytes, key: str) -> bool:
    """Whether a file is sealed for a key (`Sealed.key`), by its first `BEGINNING` bytes."""
    return beginning.startswith(_HEAD) and f'"key":"{key}"'.encode() in beginning


def boxed(data: bytes) -> Sealed | None:
    """The box that a file is; None for an image as it is. Raises ValueError when it is half of one."""
    if not data.startswith(_HEAD):
        return None
    try:
        return msgspec.json.decode(data[len(_HEAD) :], type=Sealed)
    except UNREADABLE as error:
        raise ValueError(f"it is half a box: {error}") from error
