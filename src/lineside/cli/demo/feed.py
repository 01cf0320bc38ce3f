"""Pictures for the devices: copied into each inbox one by one, as a camera would put them there.

A device gets what the data's own `inbox/` holds (odd extensions and all), its share of the test images, and the first
device one file that no decoder can read.
"""

from __future__ import annotations

import io
import itertools
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import msgspec

UNREADABLE = "unreadable.jpg"

_NOT_A_PICTURE = b"The camera lost its power while it wrote this file.\n"
_KEEP = 200  # pictures of the endless feed that stay in the inboxes


@dataclass(frozen=True)
class Picture:
    """A file for an inbox."""

    name: str
    data: bytes

    @cached_property
    def readable(self) -> bool:
        """Whether the content is a picture, whatever the name says."""
        from PIL import Image  # part of [all], which the demo needs, and not of [cli], which imports this file

        try:
            with Image.open(io.BytesIO(self.data)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError):  # what Pillow's decoders raise on bad content
            return False
        return True


def inbox_pictures(data: Path) -> list[Picture]:
    """The unlabelled pictures in the data's `inbox/`; none when there is no such folder."""
    folder = data / "inbox"
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [Picture(file.name, file.read_bytes()) for file in files if file.is_file() and not file.name.startswith(".")]


def shares(common: Sequence[Picture], tests: Sequence[Picture], devices: Sequence[str]) -> dict[str, list[Picture]]:
    """What each device gets: all of `common`, every n-th test image, and the first device an unreadable file."""
    plan: dict[str, list[Picture]] = {}
    for number, device in enumerate(devices):
        plan[device] = [*common, *tests[number :: len(devices)]]
    plan[devices[0]].append(Picture(UNREADABLE, _NOT_A_PICTURE))
    return plan


Given = dict[str, dict[str, bool]]
"""By device, the pictures it was given and whether each can be read."""


class Feed:
    """Puts pictures into inboxes, and remembers which, so that another demo on the root need not do it again.

    What an earlier model looked at is given once more to a new one; a device takes a file with a new time for new.
    """

    def __init__(self, inboxes: Mapping[str, Path], record: Path, model: str) -> None:
        self._inboxes = inboxes
        self._record = record
        self._by_model: dict[str, Given] = {}
        if record.exists():
            self._by_model = msgspec.json.decode(record.read_bytes(), type=dict[str, Given])
        self._given = self._by_model.setdefault(model, {})

    def missing(self, plan: Mapping[str, Sequence[Picture]]) -> list[tuple[str, Picture]]:
        """What of the plan was not given yet, device by device in turn."""
        lines = [
            [(device, picture) for picture in pictures if picture.name not in self._given.get(device, {})]
            for device, pictures in plan.items()
        ]
        return [entry for turn in itertools.zip_longest(*lines) for entry in turn if entry is not None]

    def give(self, device: str, picture: Picture) -> None:
        """Put one picture into a device's inbox, whole or not at all, and remember it."""
        arrive(self._inboxes[device] / picture.name, picture.data)
        self._given.setdefault(device, {})[picture.name] = picture.readable
        arrive(self._record, msgspec.json.encode(self._by_model))

    def expected(self, device: str) -> int:
        """How many results a device owes for all it was given."""
        return sum(sum(given.get(device, {}).values()) for given in self._by_model.values())

    def endlessly(self, plan: Mapping[str, Sequence[Picture]]) -> Iterator[str]:
        """Each step gives one more picture of the plan under a new name, and takes the oldest such away."""
        given: deque[Path] = deque()
        entries = [(device, picture) for device, pictures in plan.items() for picture in pictures if picture.readable]
        for number in itertools.count():
            device, picture = entries[(number * 7) % len(entries)]
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            target = self._inboxes[device] / f"{moment}-{number:06d}-{picture.name}"
            arrive(target, picture.data)
            given.append(target)
            if len(given) > _KEEP:
                given.popleft().unlink(missing_ok=True)
            yield device


def arrive(target: Path, data: bytes) -> None:
    """A file appears whole: written outside the inbox, renamed in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent.parent / f".arriving-{os.getpid()}-{target.name}"
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(target)
