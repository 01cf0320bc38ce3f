"""The line that the devices watch: pictures that arrive in their inboxes at a steady pace, and the truth about each.

Pictures are rendered, so the story knows what is on them: it answers reviews as a person who looks would.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lineside.cli.demo.data import render
from lineside.cli.demo.feed import arrive
from lineside.cli.demo.scene import Scene
from lineside.contract.ids import digest_of
from lineside.contract.review import ReviewBox

USUAL, CHANGED = "usual", "changed"
PER_SECOND = 4.0
"""Pictures that arrive at each device."""

_DAYS = {
    USUAL: ("--count", "150", "--groups", "50", "--seed", "21"),
    CHANGED: ("--count", "160", "--groups", "40", "--seed", "22", "--light", "0.6", "--zigzag", "0.6"),
}
_LAG = 2.0  # seconds of pictures that come at once after the demo was busy with something else
_KEEP = 200  # pictures that stay in an inbox


@dataclass(frozen=True)
class Labelled:
    """A picture, and what is really on it."""

    name: str
    data: bytes
    boxes: tuple[ReviewBox, ...]

    @cached_property
    def digest(self) -> str:
        """What captures of it are named by."""
        return digest_of(self.data)


def days(scene: Scene) -> dict[str, list[Labelled]]:
    """The pictures of a usual day and of a changed one: less light, and marks of a kind that the first had none of."""
    with scene.display.stage("line", "Render two days of the line") as stage:
        for day, options in _DAYS.items():
            if not scene.root.line(day).is_dir():
                render(scene, stage, scene.root.line(day), options)
        found = {day: labelled(scene.root.line(day)) for day in _DAYS}
        stage.outcome = f"{len(found[USUAL])} pictures as usual, {len(found[CHANGED])} of a changed line"
    return found


def labelled(folder: Path) -> list[Labelled]:
    """The pictures of a rendered folder, a plate after the other in turn, with the boxes of its COCO file."""
    document = json.loads((folder / "annotations.json").read_text())
    names = {one["id"]: one["name"] for one in document["categories"]}
    boxes: dict[int, list[ReviewBox]] = {}
    for one in document["annotations"]:
        x, y, width, height = one["bbox"]
        box = ReviewBox(label=names[one["category_id"]], x=x, y=y, width=width, height=height)
        boxes.setdefault(one["image_id"], []).append(box)
    seen: dict[object, int] = {}
    turns = []
    for one in document["images"]:
        seen[one["group"]] = turn = seen.get(one["group"], -1) + 1
        data = (folder / "images" / one["file_name"]).read_bytes()
        turns.append((turn, Labelled(one["file_name"], data, tuple(boxes.get(one["id"], ())))))
    return [picture for _, picture in sorted(turns, key=lambda entry: entry[0])]


def truth_of(pictures: Iterable[Labelled]) -> dict[str, tuple[ReviewBox, ...]]:
    """What is on each picture, by digest."""
    return {one.digest: one.boxes for one in pictures}


class Line:
    """Shows each device its pictures, again and again; `step` gives those that are due."""

    def __init__(
        self,
        inboxes: Mapping[str, Path],
        per_second: float = PER_SECOND,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inboxes, self._per_second, self._now = inboxes, per_second, now
        self._shown: dict[str, Sequence[Labelled]] = {}
        self._given: dict[str, deque[Path]] = {device: deque() for device in inboxes}
        self._since, self._number, self._owed = now(), 0, 0.0

    def show(self, device: str, pictures: Sequence[Labelled]) -> None:
        """What a device sees from now on."""
        self._shown[device] = pictures

    def step(self) -> None:
        """Give what is due since the step before."""
        moment = self._now()
        self._owed = min(self._owed + (moment - self._since) * self._per_second, _LAG * self._per_second)
        self._since = moment
        for _ in range(math.floor(self._owed)):
            self._owed -= 1
            for device, pictures in self._shown.items():
                self._give(device, pictures[self._number % len(pictures)])
            self._number += 1

    def _give(self, device: str, picture: Labelled) -> None:
        target = self._inboxes[device] / f"{self._number:06d}-{picture.name}"
        arrive(target, picture.data)
        given = self._given[device]
        given.append(target)
        if len(given) > _KEEP:
            given.popleft().unlink(missing_ok=True)
