"""A line with a real model, a real spool and a file of results, fed by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime.accounting import Ledger
from lineside.runtime.decider import Decider
from lineside.runtime.decode import Picture
from lineside.runtime.delivery import Delivery
from lineside.runtime.frames import Frame, Intake, Reply, Source, SourceHealth
from lineside.runtime.line import Desk, Line
from lineside.runtime.model import Model
from lineside.runtime.models.proof import Proven
from lineside.runtime.models.slot import Answer, Slot
from lineside.runtime.rules import Rules
from lineside.runtime.sinks.jsonl import JsonlSink
from lineside.runtime.spool import InputKey, Spool
from lineside.runtime.status import GoldenState
from tests.eventually import PATIENCE, eventually


class Pushed:
    """A source that a test feeds."""

    def __init__(self, name: str, *, live: bool = False) -> None:
        self.name, self.live = name, live
        self.done: list[str] = []
        self.again: set[str] = set()
        self.intake: Intake | None = None

    def push(
        self, name: str, data: bytes | Picture, *, age: float = 0.0, key: bool = False, reply: Reply | None = None
    ) -> bool:
        assert self.intake
        remembered = InputKey(f"{self.name}/{name}", 1, 1) if key else None
        return self.intake.offer(
            Frame(self.name, name, data, time.time(), time.monotonic() - age, key=remembered, reply=reply)
        )

    def start(self, intake: Intake) -> None:
        self.intake = intake

    def finished(self, frame: Frame) -> None:
        self.done.append(frame.name)

    def comes_again(self, frame: Frame, error: LinesideError) -> bool:
        return frame.name in self.again

    def stop(self) -> None:
        pass

    def health(self) -> SourceHealth:
        return SourceHealth()


class Gated(Slot):
    """A slot whose model decides only while the gate is open."""

    def __init__(self, model: Model) -> None:
        super().__init__("model", Proven(model, Path(), GoldenState.ABSENT, 0.0), lambda folder: self.proven)
        self.gate, self.deciding = Event(), Event()
        self.gate.set()

    def detect(self, data: bytes | Picture, down_to: float | None = None) -> Answer:
        self.deciding.set()
        assert self.gate.wait(PATIENCE)
        return super().detect(data, down_to)


class Bench:
    """A line on a work folder."""

    def __init__(
        self,
        work: Path,
        desks: Sequence[tuple[Slot, Sequence[Source]]],
        *,
        lanes: int = 1,
        deadline: float | None = None,
        rules: Mapping[str, Rules] | None = None,
    ) -> None:
        self.work = work
        self.sources = [source for _, sources in desks for source in sources]
        self.spool = Spool(work / "spool.db")
        self.delivery = Delivery(self.spool, None)
        self.ledger = Ledger(source.name for source in self.sources)
        made = [
            Desk(Decider(slot, "cam-1", deadline=deadline, rules=rules, named=True), sources, lanes=lanes)
            for slot, sources in desks
        ]
        self.line = Line(made, self.delivery, self.ledger)
        self.delivery.start({"jsonl": JsonlSink(work / "results.jsonl")})
        self.line.start()

    def settled(self) -> None:
        """Until nothing waits."""
        eventually(lambda: not any(self.ledger.of(source.name).waiting for source in self.sources))

    def stop(self) -> None:
        self.line.stop()
        self.delivery.stop()
        self.spool.close()
        assert self.line.failure is None
        assert self.delivery.failure is None

    def results(self) -> list[Result]:
        path = self.work / "results.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Result) for line in lines]
