"""Captures come back because of drift, and somebody who knows what is on them answers: the story itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from lineside.cli.demo.drift.watch import WINDOW
from lineside.cli.demo.scene import Scene
from lineside.client import Client
from lineside.contract.review import Answer, AnswerKind, NextRequest, ReviewBox, ReviewItem

REVIEWED = 80
"""Pictures that are reviewed: as many as the rule of the dataset waits for."""

STRATEGY = "drift"
_AT_ONCE = 20
_SECONDS = 120.0 + 3 * WINDOW  # without a new capture

Truth = Mapping[str, tuple[ReviewBox, ...]]


def collect(scene: Scene, device: str) -> int:
    """Wait until enough of what a device kept because of drift waits for a review; how many pictures it kept."""
    with scene.display.stage("captures", "Bring back what shows it") as stage:

        def count(client: Client) -> tuple[int, int]:
            kept = client.captures(device=device, strategy=STRATEGY, limit=1).total
            return kept, len(client.reviews(strategy=STRATEGY, device=device, limit=REVIEWED).items)

        def moved(counts: tuple[int, int]) -> object:
            for name, pictures in zip(("captures", "in review"), counts, strict=True):
                stage.move(name, min(pictures / REVIEWED, 1.0), f"{pictures} pictures")
            return counts

        kept, _ = scene.plane.wait(
            count,
            lambda counts: counts[1] >= REVIEWED,
            what=f"{REVIEWED} pictures that {device} kept because of drift",
            where=f"{scene.plane.url}/captures",
            seconds=_SECONDS,
            moved=moved,
        )
        stage.outcome = f"{kept} pictures of {device}, kept because of drift"
    return kept


def review(scene: Scene, device: str, truth: Truth) -> int:
    """Answer as many as the rule waits for; how many that were."""
    kinds: dict[AnswerKind, int] = {}
    with scene.display.stage("review", "Review what came back") as stage:
        done = 0
        while done < REVIEWED:
            wanted = NextRequest(count=min(_AT_ONCE, REVIEWED - done), strategy=STRATEGY, device=device)
            for item in scene.plane.ask(partial(Client.next_reviews, request=wanted)).items:
                said = answer_of(item, truth)
                scene.plane.ask(partial(Client.answer_review, answer=said, tool="demo"))
                kinds[said.kind] = kinds.get(said.kind, 0) + 1
                scene.plane.tick()
            done = sum(kinds.values())
            stage.move("answers", done / REVIEWED, f"{done} of {REVIEWED}")
        stage.outcome = ", ".join(f"{count} {kind.value}" for kind, count in kinds.items())
    return done


def answer_of(item: ReviewItem, truth: Truth) -> Answer:
    """What a person says who sees everything on the picture; of an unknown one, that it is not theirs to say."""
    boxes: Sequence[ReviewBox] | None = truth.get(item.record.digest)
    if boxes is None:
        return Answer(capture=item.record.id, kind=AnswerKind.UNSURE)
    if not boxes:
        return Answer(capture=item.record.id, kind=AnswerKind.NOTHING)
    return Answer(capture=item.record.id, kind=AnswerKind.CORRECT, boxes=tuple(boxes))
