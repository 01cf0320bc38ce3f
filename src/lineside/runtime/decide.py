"""One arrival to one decision: read, detect, choose what to capture, hand over. An image that cannot be decided is
counted and passed over with a reason; it never stops the line."""

from __future__ import annotations

import time
from threading import Event

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime.announce import announce, rfc3339
from lineside.runtime.capture import Chooser
from lineside.runtime.compare import Comparer
from lineside.runtime.decode import SNIFF_BYTES, format_of
from lineside.runtime.delivery import Delivery, Keep
from lineside.runtime.model import Inference, Model
from lineside.runtime.sources.folder import Arrival, FolderSource
from lineside.runtime.status import Status

MAX_FILE_BYTES = 256 * 1024 * 1024
_ANNOUNCED_AT_MOST = 20  # passed-over files; the status goes on counting
_DAMAGED = frozenset({"image.unreadable", "model.run_failed"})


class Decider:
    """Decides on what a source has. Counts in `status`."""

    def __init__(
        self,
        model: Model,
        source: FolderSource,
        delivery: Delivery,
        chooser: Chooser | None,
        device: str,
        status: Status,
        comparer: Comparer | None = None,
    ) -> None:
        self.idle, self.look_seconds = True, 0.0
        self._model, self._source, self._delivery = model, source, delivery
        self._chooser, self._device, self._status = chooser, device, status
        self._comparer = comparer
        self._published_from = model.signature.score_threshold
        self._detected_from = min(self._published_from, chooser.lowest_score if chooser else 1.0)

    def step(self, stop: Event) -> None:
        """Looks once at the source and decides on all that is ready, or until `stop` is set."""
        started = time.monotonic()
        arrivals = self._source.look()
        self.idle, self.look_seconds = not arrivals, time.monotonic() - started
        for arrival in arrivals:
            if stop.is_set() or self._delivery.failure is not None:
                return
            self._take(arrival)

    def _take(self, arrival: Arrival) -> None:
        try:
            data = self._bytes(arrival)
            if data is None:
                return  # it changed again: it will arrive later
            inference = self._model.detect_timed(data, score_threshold=self._detected_from)
        except LinesideError as error:
            self._pass_over(arrival, error)
            return
        self._hand_over(arrival, data, inference)

    def _bytes(self, arrival: Arrival) -> bytes | None:
        if arrival.key.size > MAX_FILE_BYTES:
            raise LinesideError("image.file_too_large", size=arrival.key.size, limit=MAX_FILE_BYTES)
        head = self._source.peek(arrival, SNIFF_BYTES)
        if head is not None and format_of(head) is None:
            raise LinesideError("image.unsupported", why=f"it begins with {head[:8].hex()}" if head else "it is empty")
        return self._source.read(arrival)

    def _hand_over(self, arrival: Arrival, data: bytes, inference: Inference) -> None:
        wanted = self._chooser.choose(data, inference.detections) if self._chooser else None
        threshold = self._published_from
        published = tuple(one for one in inference.detections if one.confidence >= threshold)
        compared = self._comparer.look(data, inference, published, threshold) if self._comparer else None

        def result(sequence: int) -> Result:
            return Result(
                device=self._device,
                model=self._model.identity.name,
                version=self._model.identity.version,
                digest=self._model.digest,
                image=arrival.key.name,
                captured_at=rfc3339(arrival.key.mtime_ns / 1e9),
                sequence=sequence,
                width=inference.picture.width,
                height=inference.picture.height,
                latency_ms=round(inference.latency_ms, 3),
                detections=published,
                compared=compared,
            )

        self._delivery.decided(arrival.key, result, Keep(data, wanted) if wanted else None)
        self._source.finish(arrival)
        self._status.seen += 1
        self._status.decided += 1

    def _pass_over(self, arrival: Arrival, error: LinesideError) -> None:
        if self._source.may_be_unfinished(arrival):
            self._source.postpone(arrival)
            return
        self._delivery.passed_over(arrival.key)
        self._source.finish(arrival)
        self._status.seen += 1
        if error.code in _DAMAGED:
            self._status.failed += 1
        else:
            self._status.skipped += 1
        if self._status.failed + self._status.skipped <= _ANNOUNCED_AT_MOST:
            announce("image.passed_over", image=arrival.key.name, code=error.code, why=error.message)
