"""One model's decisions: detect, choose what to capture, compare, judge by the rules, make the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.result import Compared, Detection, Result
from lineside.runtime.announce import rfc3339
from lineside.runtime.capture import Chooser
from lineside.runtime.compare import Comparer
from lineside.runtime.delivery import Delivery, Keep
from lineside.runtime.frames import Frame
from lineside.runtime.model import Inference, Model
from lineside.runtime.stills import still, trace_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model found on one frame."""

    inference: Inference
    model: Model
    published: tuple[Detection, ...]
    late: bool


class Decider:
    """Decides for the sources of one model. `decide` may be called side by side, `hand_over` by one thread at a time."""

    def __init__(
        self,
        model: Model,
        device: str,
        *,
        chooser: Chooser | None = None,
        comparer: Comparer | None = None,
        deadline: float | None = None,
        named: bool = False,
        choosing: Lock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`deadline` in seconds from a frame's arrival to its decision; `named`: results say which source they are of;
        `choosing`: held while choosing, where several models share a chooser."""
        self._model, self._device = model, device
        self._chooser, self._choosing = chooser, choosing or Lock()
        self._comparer = comparer
        self._deadline, self._named, self._monotonic = deadline, named, monotonic

    def decide(self, frame: Frame) -> Verdict | LinesideError:
        """What the model finds, or why it cannot."""
        lowest = self._chooser.lowest_score if self._chooser else 1.0
        try:
            threshold = self._model.signature.score_threshold
            inference = self._model.detect_timed(frame.data, score_threshold=min(threshold, lowest))
        except LinesideError as error:
            return error
        published = tuple(one for one in inference.detections if one.confidence >= threshold)
        late = self._deadline is not None and self._monotonic() - frame.arrived > self._deadline
        return Verdict(inference, self._model, published, late)

    def hand_over(self, frame: Frame, verdict: Verdict, delivery: Delivery) -> bool:
        """Makes the result and gives it to delivery; whether it came late."""
        keep = self._keep(frame, verdict.inference)
        compared = self._compared(frame, verdict)
        model, inference = verdict.model, verdict.inference

        def result(sequence: int) -> Result:
            return Result(
                device=self._device,
                model=model.identity.name,
                version=model.identity.version,
                digest=model.digest,
                image=frame.name,
                captured_at=rfc3339(frame.captured_at),
                sequence=sequence,
                width=inference.picture.width,
                height=inference.picture.height,
                latency_ms=round(inference.latency_ms, 3),
                detections=verdict.published,
                compared=compared,
                source=frame.source if self._named else "",
                late=verdict.late,
            )

        delivery.decided(frame.key, result, keep, frame.reply)
        return verdict.late

    def _keep(self, frame: Frame, inference: Inference) -> Keep | None:
        """The image to capture, if it is wanted; of pixels, a still."""
        if self._chooser is None:
            return None
        with self._choosing:
            looked_at = frame.data if isinstance(frame.data, bytes) else trace_of(frame.data)
            wanted = self._chooser.choose(looked_at, inference.detections)
        if wanted is None:
            return None
        if isinstance(frame.data, bytes):
            return Keep(frame.data, wanted)
        data = still(frame.data)
        return Keep(data, replace(wanted, digest=digest_of(data)))

    def _compared(self, frame: Frame, verdict: Verdict) -> Compared | None:
        if self._comparer is None:
            return None
        data = frame.data if isinstance(frame.data, bytes) else b""  # of pixels all are there: never decoded again
        threshold = verdict.model.signature.score_threshold
        return self._comparer.look(data, verdict.inference, verdict.published, threshold)
