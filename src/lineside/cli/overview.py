"""`lineside overview`: the loop with a count at each stage, and what needs a person."""

from __future__ import annotations

from rich.console import Group, RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows
from lineside.contract.field_accuracy import FieldAccuracy
from lineside.contract.overview import Overview


def overview(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show the loop with a live count at each stage, and what needs a person."""
    with session(url, root, json) as (client, out):
        out.show(client.overview(), _draw)


def _draw(overview: Overview) -> RenderableType:
    head = details(
        (
            ("version", overview.version),
            ("pages", overview.people_url),
            ("devices call", overview.device_url),
            ("trust", f"{overview.trust_mode} mode"),
        )
    )
    stages = rows(("stage", "count", "note"), ((s.name, s.count, s.note) for s in overview.stages), "")
    field = rows(("model", "field accuracy", "reviewed"), map(_field, overview.field), "No field accuracy yet.")
    needs = rows(("needs you", "command"), ((n.what, n.command) for n in overview.needs), "Nothing needs you.")
    return Group(head, stages, field, needs)


def _field(one: FieldAccuracy) -> tuple[str, str, int]:
    found, few = one.accuracy, f"too few reviews: {one.pictures} of {one.enough}"
    said = few if found is None else f"{found.value:.3f} ({found.low or 0:.3f} to {found.high or 0:.3f})"
    return f"{one.model}:{one.version}", said, one.pictures
