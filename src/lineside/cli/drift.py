"""`lineside drift`: what devices see and say, against what is usual there; and what models are worth in the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from lineside.cli.options import Json, Limit, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, spaced, when
from lineside.contract.counted import counted
from lineside.contract.drift_alarm import (
    AlarmPage,
    AlarmShown,
    AlarmState,
    DriftAlarm,
    DriftCurves,
    DriftPage,
    DriftScope,
    DriftStream,
)
from lineside.contract.drift_distance import Distance
from lineside.contract.evaluation import Estimate
from lineside.contract.field_accuracy import FieldAccuracy

app = typer.Typer(
    name="drift",
    help="Drift: what devices see and say, against what is usual there; and field accuracy.",
    no_args_is_help=True,
)

Number = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Number of an alarm, see: lineside drift list")]
Stream = Annotated[str, typer.Argument(help="Id of a stream, see: lineside drift streams")]
Why = Annotated[str, typer.Option("--why", help="Why, for the record.")]

_GOOD = {AlarmState.RAISED: False, AlarmState.CLEARED: True}


@app.command("list")
def list_(
    state: Annotated[AlarmState | None, typer.Option("--state", help="Only alarms in this state.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Only of this device.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Cleared ones, too.")] = False,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List alarms of drift, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.drift_alarms(state=state, device=device, cleared=all_, limit=limit), _alarms)


@app.command()
def show(number: Number, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show an alarm: how far what is, what may be behind it, and captures that show it."""
    with session(url, root, json) as (client, out):
        out.show(client.drift_alarm(number), _shown)


@app.command()
def ack(number: Number, why: Why = "", url: Url = None, root: Root = None, json: Json = False) -> None:
    """Say that an alarm has been seen; it ends by itself."""
    with session(url, root, json) as (client, out):
        out.show(client.acknowledge_drift(number, why), _alarm)


@app.command()
def mute(
    number: Number,
    hours: Annotated[float, typer.Option("--hours", min=0, max=2160, help="For so many hours; 0 ends it.")] = 24.0,
    why: Why = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Hear nothing of an alarm, and of its source, for a while."""
    with session(url, root, json) as (client, out):
        out.show(client.mute_drift(number, hours, why), _alarm)


@app.command()
def rebase(stream: Stream, why: Why = "", url: Url = None, root: Root = None, json: Json = False) -> None:
    """Make the last week of a source, group or the fleet what is usual there."""
    with session(url, root, json) as (client, out):
        out.show(client.rebase_drift(stream, why), _stream)


@app.command()
def streams(
    device: Annotated[str | None, typer.Option("--device", help="Only of this device.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only of the devices of this group.")] = None,
    scope: Annotated[DriftScope | None, typer.Option("--scope", help="Only devices, groups or the fleet.")] = None,
    after: Annotated[str, typer.Option("--after", help="`next` of the page before.")] = "",
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List what is watched, and how far the last window of each was from what is usual."""
    with session(url, root, json) as (client, out):
        found = client.drift_streams(
            scope=DriftScope.DEVICE if device else scope, name=device, group=group, after=after, limit=limit
        )
        out.show(found, _streams)


@app.command()
def curves(
    stream: Stream,
    days: Annotated[float, typer.Option("--days", min=0.01, max=8, help="Of the last days.")] = 2.0,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show how far a stream was from what is usual, by quantity."""
    with session(url, root, json) as (client, out):
        out.show(client.drift_curves(stream, days=days), _curves)


@app.command()
def field(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="NAME or NAME:VERSION; all without.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only on devices of this group.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Only on this device.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="By reviews of the last days.")] = 30,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what models are worth in the field, by reviews of the random sample."""
    with session(url, root, json) as (client, out):
        out.show(client.field_accuracy(model=model, group=group, device=device, days=days), _field)


def _alarms(page: AlarmPage) -> RenderableType:
    headings = ("number", "state", "on", "source", "model", "quantities", "raised", "may be")
    lines = (
        (
            one.number,
            mark(_GOOD.get(one.state), one.state.value),
            one.name,
            one.source or None,
            f"{one.model}:{one.version}",
            _quantities(one.quantities),
            when(one.raised_at),
            ", ".join(cause.name for cause in one.causes) or None,
        )
        for one in page.alarms
    )
    return rows(headings, lines, "No drift is held.")


def _shown(shown: AlarmShown) -> RenderableType:
    records = (one.record for one in shown.captures)
    kept = ((one.id, one.device, when(one.captured_at), one.reason) for one in records)
    captures = rows(("capture", "device", "captured", "because"), kept, "No capture shows it yet.")
    return spaced((_alarm(shown.alarm), captures))


def _alarm(one: DriftAlarm) -> RenderableType:
    pairs = (
        ("alarm", str(one.number)),
        ("state", mark(_GOOD.get(one.state), one.state.value)),
        ("on", " ".join(part for part in (one.scope.value, one.name, one.component, one.source) if part)),
        ("model", f"{one.model}:{one.version}"),
        ("shown since", when(one.shown_since)),
        ("raised", when(one.raised_at)),
        ("acknowledged", f"{when(one.acknowledged_at)} by {one.acknowledged_by}" if one.acknowledged_at else None),
        ("muted until", when(one.muted_until)),
        ("why", one.why),
        ("cleared", f"{when(one.cleared_at)}: {one.cleared_why}" if one.cleared_at else None),
    )
    hints = (Text(f"{cause.sentence} ({', '.join(cause.quantities)})") for cause in one.causes)
    return spaced((details(pairs), _distances(one.quantities), *hints))


def _streams(page: DriftPage) -> RenderableType:
    headings = ("stream", "scope", "on", "source", "model", "against", "last", "farthest", "alarm")
    lines = (
        (
            one.id,
            one.scope.value,
            one.name,
            one.source or None,
            f"{one.model}:{one.version}",
            one.baseline or None,
            when(one.last_at),
            _quantities(one.told, 1) or None,
            one.alarm,
        )
        for one in page.streams
    )
    return rows(headings, lines, "Nothing tells of drift yet: runtimes do every ten minutes, over MQTT.")


def _stream(one: DriftStream) -> RenderableType:
    usual = {"tests": "the model's own test images", "field": f"{one.baseline_since[:10]} to {one.baseline_until[:10]}"}
    pairs = (
        ("stream", one.id),
        ("on", " ".join(part for part in (one.scope.value, one.name, one.component, one.source) if part)),
        ("model", f"{one.model}:{one.version}"),
        ("against", usual.get(one.baseline, "nothing: its model has no baseline")),
        ("accepted by", one.accepted_by),
        ("windows", str(one.windows)),
        ("alarm", one.alarm),
    )
    return spaced((details(pairs), _distances(one.told)))


def _curves(found: DriftCurves) -> RenderableType:
    lines = (
        (name, len(points), f"{min(one.shift for one in points):+.2f}", f"{max(one.shift for one in points):+.2f}",
         f"{points[-1].shift:+.2f}", f"{points[-1].limit:.2f}", sum(abs(one.shift) > one.limit for one in points))
        for name, points in found.curves.items()
    )  # fmt: skip
    table = rows(("quantity", "windows", "lowest", "highest", "last", "limit", "far"), lines, "No window in that time.")
    return spaced((_stream(found.stream), table))


def _distances(told: Mapping[str, Distance]) -> RenderableType:
    ordered = sorted(told.items(), key=lambda one: one[1].limit - abs(one[1].shift))
    lines = (
        (name, mark(not one.far, f"{one.shift:+.2f}"), f"{one.limit:.2f}", _two(one.apart), one.count)
        for name, one in ordered
    )
    return rows(("quantity", "shift", "limit", "apart", "values"), lines, "No window has told of it.")


def _quantities(told: Mapping[str, Distance], most: int = 3) -> str:
    ordered = sorted(told.items(), key=lambda one: one[1].limit - abs(one[1].shift))
    return ", ".join(f"{name} {one.shift:+.1f}" for name, one in ordered[:most])


def _field(found: Sequence[FieldAccuracy]) -> RenderableType:
    return spaced(_of_model(one) for one in found) if found else Text("No review of the random sample yet.")


def _of_model(one: FieldAccuracy) -> RenderableType:
    few, devices = f"too few reviews: {one.pictures} of {one.enough}", counted(one.devices, "device")
    pairs = (
        ("model", f"{one.model}:{one.version}"),
        ("accuracy", _estimate(one.accuracy) if one.accuracy else few),
        ("pictures all right", _estimate(one.right)),
        ("reviewed", f"{counted(one.pictures, 'picture')} of {devices}, the last {when(one.last_at)}"),
    )
    lines: Iterable[tuple[str | int | None, ...]] = (
        (each.label, each.labelled, each.found, each.matched, *(
            _estimate(value) or "too few" for value in (each.recall, each.precision, each.accuracy)
        ))
        for each in one.classes
    )  # fmt: skip
    headings = ("class", "there", "found", "matched", "recall", "precision", "accuracy")
    return spaced((details(pairs), rows(headings, lines, "Nothing was there, and nothing was found.")))


def _estimate(value: Estimate | None) -> str | None:
    if value is None:
        return None
    between = "" if value.low is None or value.high is None else f" ({value.low:.3f} to {value.high:.3f})"
    return f"{value.value:.3f}{between}"


def _two(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"
