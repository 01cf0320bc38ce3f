"""Captures that came from devices, put into review: real pictures through the captures room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.people import Permission
from lineside.contract.result import Detection, Result
from lineside.contract.review import Answer, AnswerKind, ReviewBox
from lineside.server.access.caller import Caller, acting
from lineside.server.captures.service import CapturesService
from lineside.server.datasets.pictures.looks import Looks
from lineside.server.review.service import ReviewService
from lineside.server.services import Core
from tests.server.datasets.conftest import picture

SCRATCH = Detection(label="scratch", class_index=0, confidence=0.8, x=10, y=20, width=30, height=25)
WIDTH, HEIGHT = 120, 80


class World:
    """Captures, and the reviews of them; the clock moves a second with each capture."""

    def __init__(self, core: Core, clock: Any) -> None:
        self.core, self.clock = core, clock
        self.captures = CapturesService(core)
        self.reviews = ReviewService(core, Looks(core.database, core.objects))

    def capture(self, capture: str, **fields: Any) -> CaptureRecord:
        """Announce and upload one; `data` or `seed` is its picture, `found` what the model found (None: no model)."""
        self.clock.advance(1)
        record, data = made(capture, **fields)
        ticket = self.captures.announce(record.device, record)
        if not ticket.uploaded:
            self.captures.upload(record.device, ticket.id, [data])
        return record

    def some(self, count: int, **fields: Any) -> list[str]:
        """Captures c0, c1, … that look like one another in nothing, taken in."""
        ids = [self.capture(f"c{n}", seed=n, **fields).id for n in range(count)]
        self.reviews.intake.step()
        return ids

    def says(self, person: str, capture: str, kind: str = "accept", *boxes: ReviewBox) -> str:
        """Somebody answers; where the capture stands then."""
        with being(person):
            return self.reviews.answer(Answer(capture=capture, kind=AnswerKind(kind), boxes=boxes)).state.value


def made(capture: str, **fields: Any) -> tuple[CaptureRecord, bytes]:
    """A record and its picture."""
    device, found = fields.pop("device", "cam-1"), fields.pop("found", (SCRATCH,))
    data = fields.pop("data", None) or picture(fields.pop("seed", 0), WIDTH, HEIGHT)
    at = fields.pop("captured_at", "2026-01-01T00:00:00.000Z")
    result = None
    if found is not None:
        result = Result(
            device=device,
            model=fields.pop("model", "tags"),
            version=3,
            digest="sha256:" + "a" * 64,
            image=f"{capture}.png",
            captured_at=at,
            sequence=1,
            width=WIDTH,
            height=HEIGHT,
            latency_ms=5.0,
            detections=found,
        )
    record = CaptureRecord(
        id=capture,
        device=device,
        digest=digest_of(data),
        size=len(data),
        content_type="image/png",
        strategy=fields.pop("strategy", "random"),
        reason="One of 20 images, by chance.",
        captured_at=at,
        result=result,
    )
    return record, data


@contextmanager
def being(person: str) -> Iterator[None]:
    """What happens inside is asked for by this person."""
    with acting(Caller(name=person, by="session", permissions=frozenset(Permission))):
        yield


def box(x: float, y: float, width: float, height: float, label: str = "scratch") -> ReviewBox:
    """A box of an answer."""
    return ReviewBox(label=label, x=x, y=y, width=width, height=height)
