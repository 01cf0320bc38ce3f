"""`lineside components adoption` and `lineside results measures`: what runs where, and what results come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import rows, spaced, when
from lineside.contract.measure import Adoption, Measures

_SHOWN = 30  # points of one component; --json has all


def adoption(
    name: Annotated[
        str | None, typer.Argument(help="Name of a component; without it all that run, as they are now.")
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show which versions run on how many devices: of all components now, of one over time."""
    with session(url, root, json) as (client, out):
        if name is None:
            out.show(client.adoptions(), _all)
        else:
            out.show(client.adoption(name), _one)


def measures(
    model: Annotated[str | None, typer.Option("--model", help="Only of this model: NAME or NAME:VERSION.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Only of this device.")] = None,
    hours: Annotated[int, typer.Option("--hours", min=1, max=336, help="Of how many hours, up to two weeks.")] = 24,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what results come to, by model: latency, classes, agreement with the model before."""
    with session(url, root, json) as (client, out):
        out.show(client.measures(model=model, device=device, hours=hours), _measures)


def _all(found: Sequence[Adoption]) -> RenderableType:
    lines = ((one.name, sum(one.now.values()), _versions(one.now)) for one in found)
    return rows(("component", "devices", "versions"), lines, "No device has reported that it runs anything.")


def _one(found: Adoption) -> RenderableType:
    now = ((version, count) for version, count in sorted(found.now.items(), key=lambda one: -one[1]))
    points = ((when(point.at), _versions(point.versions)) for point in found.points[-_SHOWN:])
    return spaced(
        (
            rows(("version", "devices now"), now, f"No device runs {found.name}."),
            rows(("from", "versions"), points, "Nothing was written down yet: that happens once a minute."),
        )
    )


def _versions(counts: dict[str, int]) -> str:
    running = sorted(((count, version) for version, count in counts.items() if count), reverse=True)
    return ", ".join(f"{version}: {count}" for count, version in running) or "none"


def _measures(found: Sequence[Measures]) -> RenderableType:
    lines = (
        (
            one.model,
            one.devices,
            one.count,
            f"{one.p50_ms:.1f} ms",
            f"{one.p95_ms:.1f} ms",
            f"{one.without / one.count:.1%}",
            ", ".join(f"{label} {count}" for label, count in one.classes.items()) or None,
            f"{one.agreed / one.compared:.1%} of {one.compared}" if one.compared else None,
        )
        for one in found
    )
    headings = ("model", "devices", "results", "p50", "p95", "nothing found", "found", "agrees with the one before")
    return rows(headings, lines, "No result by a registered model in these hours.")
