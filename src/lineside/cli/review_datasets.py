"""`lineside review dataset` and `review rules`: dataset versions made of what was reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows
from lineside.contract.review import MadeDataset, MakeDataset, ReviewRule

rules = typer.Typer(name="rules", help="Rules: datasets that take reviews of themselves.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of a dataset; it need not be there yet.")]
Share = Annotated[
    float, typer.Option("--field-share", min=0.0, max=0.99, help="Part that goes to the field set NAME-field first.")
]
OfModel = Annotated[str | None, typer.Option("--model", help="Only captures this model looked at (its name).")]


def dataset(
    name: Name,
    field_share: Share = 0.2,
    model: OfModel = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make the next version of a dataset of what was reviewed since; nothing new changes nothing."""
    with session(url, root, json) as (client, out):
        out.show(client.make_dataset(MakeDataset(name=name, field_share=field_share, model=model)), _made)


@rules.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List the datasets that take reviews of themselves."""
    with session(url, root, json) as (client, out):
        out.show(client.review_rules(), _rules)


@rules.command()
def apply(
    name: Name,
    reviewed: Annotated[int, typer.Option("--reviewed", min=1, max=5000, help="Whenever so many wait.")] = 200,
    field_share: Share = 0.2,
    model: OfModel = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Let a dataset take reviews of itself; the same again changes nothing."""
    with session(url, root, json) as (client, out):
        rule = ReviewRule(name=name, reviewed=reviewed, field_share=field_share, model=model)
        out.show([client.apply_review_rule(rule)], _rules)


@rules.command()
def remove(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let a dataset take no more reviews of itself."""
    with session(url, root, json) as (client, out):
        out.show([client.remove_review_rule(name)], _rules)


def _made(made: MadeDataset) -> RenderableType:
    return details(
        (
            ("version", made.version.id if made.version else None),
            ("new", "yes" if made.created else "no, it was there"),
            ("images", f"{made.added} added, {made.changed} relabelled"),
            ("field set", f"{made.field.id}, {made.field_added} added" if made.field else None),
            ("left out", ", ".join(f"{count} {why}" for why, count in made.left_out.items()) or None),
        )
    )


def _rules(found: Sequence[ReviewRule]) -> RenderableType:
    lines = ((one.name, one.reviewed, f"{one.field_share:.0%}", one.model or "any", one.problem) for one in found)
    return rows(("dataset", "reviews", "to the field set", "model", "problem"), lines, "No rule.")
