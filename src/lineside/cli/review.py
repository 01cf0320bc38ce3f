"""`lineside review`: what people say about captures."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace
from rich.console import Group, RenderableType
from rich.text import Text

from lineside.cli import review_datasets, review_labels
from lineside.cli.options import Json, Limit, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, when
from lineside.contract.counted import counted
from lineside.contract.dataset import Box
from lineside.contract.review import (
    Answer,
    AnswerKind,
    Batch,
    NextRequest,
    ReviewBox,
    ReviewItem,
    ReviewPage,
    ReviewPolicy,
    ReviewState,
    ReviewStats,
)

app = typer.Typer(name="review", help="Review: what people say about captures.", no_args_is_help=True)
app.command("dataset")(review_datasets.dataset)
app.add_typer(review_datasets.rules)
app.command("export")(review_labels.export)
app.command("import")(review_labels.import_)
app.add_typer(review_labels.labelstudio)

CaptureId = Annotated[str, typer.Argument(help="Id of a capture.")]
Strategy = Annotated[str | None, typer.Option("--strategy", help="Only captures kept by this strategy.")]
Device = Annotated[str | None, typer.Option("--device", help="Only captures of this device.")]
OfModel = Annotated[str | None, typer.Option("--model", help="Only captures this model looked at (its name).")]


def drawn(text: str | ReviewBox) -> ReviewBox:
    """`CLASS=X,Y,WIDTH,HEIGHT` in pixels; anything else is a usage error."""
    if isinstance(text, ReviewBox):
        return text
    label, _, numbers = text.rpartition("=")
    try:
        x, y, width, height = (float(number) for number in numbers.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not CLASS=X,Y,WIDTH,HEIGHT, like scratch=40,30,90,60") from None
    return ReviewBox(label=label, x=x, y=y, width=width, height=height)


Boxes = Annotated[
    list[ReviewBox] | None,
    typer.Option("--box", parser=drawn, metavar="CLASS=X,Y,WIDTH,HEIGHT", help="A box in pixels; may be repeated."),
]


@app.command("list")
def list_(
    standing: Annotated[ReviewState, typer.Option("--state", help="Where they stand.")] = ReviewState.WAITING,
    strategy: Strategy = None,
    device: Device = None,
    model: OfModel = None,
    after: Annotated[str | None, typer.Option("--after", help="Go on after this page, which said so.")] = None,
    limit: Limit = 50,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List captures in review, those whose turn is next first."""
    with session(url, root, json) as (client, out):
        found = client.reviews(standing, strategy=strategy, device=device, model=model, after=after, limit=limit)
        out.show(found, _table)
        if found.after:
            out.say(f"More: --after {found.after}")


@app.command("next")
def next_(
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="So many captures.")] = 1,
    strategy: Strategy = None,
    device: Device = None,
    model: OfModel = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take captures to review: nobody else is given them until the lease ends."""
    with session(url, root, json) as (client, out):
        request = NextRequest(count=count, strategy=strategy, device=device, model=model)
        out.show(client.next_reviews(request), _batch)


@app.command()
def answer(
    capture: CaptureId,
    kind: Annotated[AnswerKind, typer.Argument(help="What you say.")],
    box: Boxes = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Answer on a capture. `correct` takes all boxes that are there, with --box."""
    with session(url, root, json) as (client, out):
        said = Answer(capture=capture, kind=kind, boxes=tuple(box or ()))
        out.show(client.answer_review(said, tool="command"), _details)


@app.command()
def undo(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Take your last answer back."""
    with session(url, root, json) as (client, out):
        out.show(client.undo_review(), _details)


@app.command()
def show(capture: CaptureId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a capture in review with its answers."""
    with session(url, root, json) as (client, out):
        out.show(client.review(capture), _details)


@app.command()
def alike(capture: CaptureId, limit: Limit = 50, url: Url = None, root: Root = None, json: Json = False) -> None:
    """List the near-duplicates of a capture, the oldest first."""
    with session(url, root, json) as (client, out):
        out.show(client.alike_captures(capture, limit), _table)


@app.command()
def stats(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show how many captures stand where, and who answered how many a day."""
    with session(url, root, json) as (client, out):
        out.show(client.review_stats(), _stats)


@app.command()
def policy(
    people: Annotated[int | None, typer.Option("--people", min=1, max=2, help="How many must answer.")] = None,
    lease: Annotated[int | None, typer.Option("--lease", min=1, max=1440, help="Minutes a lease lasts.")] = None,
    iou: Annotated[float | None, typer.Option("--iou", help="From which overlap two people's boxes agree.")] = None,
    label: Annotated[list[str] | None, typer.Option("--class", help="A class to draw; all that there are.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show how captures are reviewed, or change it."""
    given = {"people": people, "lease_minutes": lease, "agree_iou": iou, "classes": tuple(label) if label else None}
    wanted = {name: value for name, value in given.items() if value is not None}
    with session(url, root, json) as (client, out):
        found = client.review_policy()
        if wanted:
            found = client.set_review_policy(replace(found, **wanted))
        out.show(found, _policy)


def _table(page: ReviewPage) -> RenderableType:
    return _items(page.items, "No such capture.")


def _batch(batch: Batch) -> RenderableType:
    return _items(batch.items, "Nothing waits for you.")


def _items(items: tuple[ReviewItem, ...], none: str) -> RenderableType:
    lines = (
        (
            i.record.id,
            i.record.device,
            i.record.strategy,
            i.record.reason,
            _said(i.labels or i.predicted),
            i.state.value,
        )
        for i in items
    )
    return rows(("capture", "device", "strategy", "reason", "boxes", "state"), lines, none)


def _details(item: ReviewItem) -> RenderableType:
    answers = (f"{one.person}: {one.kind.value} ({_said(one.boxes)}), {when(one.at)}" for one in item.answers)
    return details(
        (
            ("capture", item.record.id),
            ("state", item.state.value),
            ("kept because", item.record.reason),
            ("picture", f"{item.width} x {item.height}"),
            ("predicted", _said(item.predicted)),
            ("labels", None if item.labels is None else _said(item.labels)),
            ("answers", "\n".join(answers) or None),
            ("dataset", item.dataset),
        )
    )


def _said(boxes: tuple[Box, ...]) -> str:
    return ", ".join(f"{b.label}={b.x:g},{b.y:g},{b.width:g},{b.height:g}" for b in boxes) or "none"


def _stats(stats: ReviewStats) -> RenderableType:
    standing = ", ".join(f"{count} {name}" for name, count in stats.states.items() if count) or "nothing in review"
    lines = (
        (one.day, one.person, sum(one.answers.values()), ", ".join(f"{n} {kind}" for kind, n in one.answers.items()),
         f"{one.seconds / max(sum(one.answers.values()), 1):.1f} s")
        for one in stats.throughput
    )  # fmt: skip
    answers = rows(("day", "person", "answers", "which", "each"), lines, "Nobody has answered yet.")
    return Group(Text(standing), answers)


def _policy(policy: ReviewPolicy) -> RenderableType:
    return details(
        (
            ("people", policy.people),
            ("lease", counted(policy.lease_minutes, "minute")),
            ("boxes agree from", f"IoU {policy.agree_iou:g}"),
            ("classes", ", ".join(policy.classes) or None),
        )
    )
