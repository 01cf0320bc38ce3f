"""A device with a clock that a test sets, which may be started again and again."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.result import Detection
from lineside.runtime.captures.chooser import Chooser, Wanted
from lineside.runtime.captures.counts import CaptureStatus, StrategyCounts, Tally
from lineside.runtime.captures.keeper import Keeper
from lineside.runtime.captures.memory import Memory
from lineside.runtime.captures.passed import Passed
from lineside.runtime.captures.requests import Requests
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.captures.strategies import Seen
from tests.runtime.results import result

Found = tuple[Detection, ...]
DATA = b"\xff\xd8\xff picture"


def image(number: int) -> bytes:
    return DATA + number.to_bytes(4, "big")


def found(confidence: float, label: str = "scratch") -> tuple[Detection, ...]:
    return (Detection(label=label, class_index=0, confidence=confidence, x=0, y=0, width=1, height=1),)


class Device:
    """Starts with `start`; `offer` is one decided image on its way through chooser and keeper."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.work, self.folder = root / "work", root / "captures"
        self.work.mkdir(exist_ok=True)
        self.settings = CaptureSettings(**{"random": 0.0, **settings})  # type: ignore[arg-type]
        self.wall, self.counter, self.boot = 1.8e9, 1000.0, "one"
        self.start()

    def start(self) -> None:
        """A new process, whatever became of the one before."""
        self.memory, self.tally = Memory(self.work), Tally()
        passed = Passed(self.memory.mark, counter=lambda: self.counter, wall=lambda: self.wall, boot=self.boot)
        self.requests = Requests(self.work, "tags.inference", self.memory, passed=passed, wall=lambda: self.wall)
        self.store = CaptureFolder(self.folder)
        self.chooser = Chooser(self.settings, self.memory, self.requests, tally=self.tally, passed=passed)
        self.keeper = Keeper(self.chooser, self.store)

    def restart(self) -> None:
        self.memory.close()
        self.start()

    def reboot(self, wall: float) -> None:
        """The counter begins anew, the clock shows anything."""
        self.counter, self.wall, self.boot = 5.0, wall, self.boot + "+"
        self.restart()

    def wait(self, seconds: float) -> None:
        self.counter += seconds
        self.wall += seconds

    def choose(
        self, data: bytes, detections: Found = (), picture: Image.Image | None = None, source: str = "in"
    ) -> Wanted | None:
        return self.chooser.choose(Seen(digest_of(data), source, detections, detections, picture))

    def offer(
        self, data: bytes, detections: Found = (), picture: Image.Image | None = None, source: str = "in"
    ) -> CaptureRecord | None:
        wanted = self.choose(data, detections, picture, source)
        return self.keeper.keep(data, wanted, result("a.jpg", 5)) if wanted else None

    def uncertain(self, numbers: range) -> int:
        """How many of these images were kept, all of which are uncertain."""
        return sum(self.offer(image(number), found(0.3)) is not None for number in numbers)

    @property
    def counts(self) -> dict[str, StrategyCounts]:
        self.tally.into(status := CaptureStatus())
        return status.strategies

    @property
    def last_refusal(self) -> str:
        self.tally.into(status := CaptureStatus())
        return status.last_refusal
