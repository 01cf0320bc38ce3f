"""One model's decisions: detect, choose what to capture, compare, judge by the rules, make the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

from lineside.contract.errors import LinesideError
from lineside.contract.result import Compared, Detection, Result
from lineside.runtime.announce import rfc3339
from lineside.runtime.captures.chooser import Chooser
from lineside.runtime.captures.keeper import looked_at
from lineside.runtime.captures.strategies import Seen
from lineside.runtime.compare import Comparer
from lineside.runtime.delivery import Delivery, Keep
from lineside.runtime.frames import Frame, Reply
from lineside.runtime.model import Inference, Model
from lineside.runtime.models.slot import Answer, Slot
from lineside.runtime.rules import Rules
from lineside.runtime.stills import still

Told = Callable[[Result], None]


def _both(first: Reply | None, second: Told | None) -> Told | None:
    """Tells whoever is there."""
    if first is None or second is None:
        return first or second

    def tell(result: Result) -> None:
        first(result)
        second(result)

    return tell


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model found on one frame."""

    answer: Answer
    published: tuple[Detection, ...]
    waited_ms: float  # from the frame's arrival until its decision began
    late: bool


@dataclass(frozen=True, slots=True)
class Companion:
    """The model before, which looks at a sample beside one model and no other."""

    comparer: Comparer
    model: Model


class Shadowing(Protocol):
    """A candidate that looks on."""

    def turn(self, frame: Frame, threshold: float) -> Callable[[Result], None] | None:
        """What to tell the result to, once it is on disk; None for a frame that goes without it. Never blocks."""


class Decider:
    """Decides for the sources of one slot. `decide` may be called side by side, `hand_over` by one thread at a time."""

    def __init__(
        self,
        slot: Slot,
        device: str,
        *,
        chooser: Chooser | None = None,
        shadow: Shadowing | None = None,
        rules: Mapping[str, Rules] | None = None,
        deadline: float | None = None,
        named: bool = False,
    ) -> None:
        """`deadline` in seconds from a frame's arrival to its decision; `rules` by source; `named`: results say which
        source they are of."""
        self.slot = slot
        self.companion: Companion | None = None
        self._device, self._named = device, named
        self._chooser, self._shadow = chooser, shadow
        self._rules, self._deadline = rules or {}, deadline

    def decide(self, frame: Frame, *, aside: bool = False) -> Verdict | LinesideError:
        """What the model finds, or why it cannot. `aside`: other cores are left to others."""
        waited = time.monotonic() - frame.arrived
        try:
            with self.slot.proven.model.aside() if aside else nullcontext():
                answer = self.slot.detect(frame.data, self._chooser.lowest_score if self._chooser else None)
        except LinesideError as error:
            return error
        late = self._deadline is not None and time.monotonic() - frame.arrived > self._deadline
        return Verdict(answer, answer.published, waited * 1000, late)

    def hand_over(self, frame: Frame, verdict: Verdict, delivery: Delivery) -> None:
        """Makes the result and gives it to delivery."""
        answer, published = verdict.answer, verdict.published
        picture, model = answer.inference.picture, answer.model
        keep = self._keep(frame, answer.inference, published)
        compared = self._compared(frame, verdict)
        rules = self._rules.get(frame.source)
        size = (picture.width, picture.height)
        events = rules.judge(frame.source, published, frame.captured_at, time.time(), size) if rules else ()

        def result(sequence: int) -> Result:
            return Result(
                device=self._device,
                model=model.identity.name,
                version=model.identity.version,
                digest=model.digest,
                image=frame.name,
                captured_at=rfc3339(frame.captured_at),
                sequence=sequence,
                width=picture.width,
                height=picture.height,
                latency_ms=round(answer.inference.latency_ms, 3),
                detections=published,
                compared=compared,
                source=frame.source if self._named else "",
                late=verdict.late,
                events=events,
            )

        looked = self._shadow.turn(frame, model.signature.score_threshold) if self._shadow else None
        delivery.decided(frame.key, result, keep, _both(frame.reply, looked))

    def _keep(self, frame: Frame, inference: Inference, published: tuple[Detection, ...]) -> Keep | None:
        """The image to capture, if it is wanted; of pixels, a still."""
        if self._chooser is None:
            return None
        picture = inference.picture.image
        wanted = self._chooser.choose(
            Seen(looked_at(frame.data), frame.source, inference.detections, published, picture)
        )
        if wanted is None:
            return None
        return Keep(frame.data if isinstance(frame.data, bytes) else still(frame.data), wanted)

    def _compared(self, frame: Frame, verdict: Verdict) -> Compared | None:
        companion, answer = self.companion, verdict.answer
        if companion is None or answer.model is not companion.model:
            return None
        data = frame.data if isinstance(frame.data, bytes) else b""  # of pixels all are there: never decoded again
        threshold = answer.model.signature.score_threshold
        return companion.comparer.look(data, answer.inference, verdict.published, threshold)
