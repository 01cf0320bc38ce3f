"""`lineside captures collect …`: so many images from a group until a time, and what came of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from lineside.cli.options import Json, Limit, Offset, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, when
from lineside.contract.collection import (
    Collection,
    CollectionPage,
    CollectionRequest,
    CollectionSchedule,
    ScheduledCollection,
)

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}

Group_ = Annotated[str, typer.Option("--group", help="The group whose devices are asked.")]
Count = Annotated[int, typer.Option("--count", min=1, help="How many images in all.")]
Classes = Annotated[list[str] | None, typer.Option("--class", help="Only images with this class; may be repeated.")]
Component = Annotated[str, typer.Option("--component", help="The component that keeps them; any by default.")]
Random = Annotated[bool, typer.Option("--random", help="By chance over the whole time, not the next that come.")]
Id = Annotated[str, typer.Argument(help="Id of a collection.")]
Name = Annotated[str, typer.Argument(help="Name of a schedule.")]


def collect(
    group: Group_,
    count: Count,
    until: Annotated[str, typer.Option("--until", help="Friday, 2026-11-27, a time (RFC 3339), or 12h, 3d, 1w.")],
    classes: Classes = None,
    component: Component = "",
    random: Random = False,
    note: Annotated[str, typer.Option("--note", help="What for.")] = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Ask the devices of a group for images."""
    request = CollectionRequest(
        group=group,
        count=count,
        until=end_of(until, datetime.now().astimezone()),
        component=component,
        classes=tuple(classes or ()),
        strategy="random" if random else "requested",
        note=note,
    )
    with session(url, root, json) as (client, out):
        out.show(client.collect(request), _details)


def collections(offset: Offset = 0, limit: Limit = 50, url: Url = None, root: Root = None, json: Json = False) -> None:
    """List collections, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.collections(offset=offset, limit=limit), _table)


def collection(
    id_: Id, offset: Offset = 0, limit: Limit = 100, url: Url = None, root: Root = None, json: Json = False
) -> None:
    """Show the report of a collection: asked, kept, uploaded, refused and why, by device."""
    with session(url, root, json) as (client, out):
        out.show(client.collection(id_, offset=offset, limit=limit), _details)


def cancel(id_: Id, url: Url = None, root: Root = None, json: Json = False) -> None:
    """End a collection by hand."""
    with session(url, root, json) as (client, out):
        out.show(client.cancel_collection(id_), _details)


def schedules(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List collections that begin again and again."""
    with session(url, root, json) as (client, out):
        out.show(client.collection_schedules(), _schedules)


def schedule(
    name: Name,
    cron: Annotated[str, typer.Option("--cron", help="Minute hour day month weekday, in UTC: '0 6 * * mon'.")],
    group: Group_,
    count: Count,
    hours: Annotated[float, typer.Option("--hours", help="How long each goes on.")] = 24.0,
    classes: Classes = None,
    component: Component = "",
    random: Random = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Collect by a schedule; the one of this name is replaced."""
    document = CollectionSchedule(
        name=name,
        schedule=cron,
        hours=hours,
        group=group,
        count=count,
        component=component,
        classes=tuple(classes or ()),
        strategy="random" if random else "requested",
    )
    with session(url, root, json) as (client, out):
        out.show(client.schedule_collection(document), lambda one: _schedules([one]))


def unschedule(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Forget a schedule."""
    with session(url, root, json) as (client, out):
        out.show(client.unschedule_collection(name), lambda one: _schedules([one]))


COMMANDS = (collect, collections, collection, cancel, schedules, schedule, unschedule)


def end_of(text: str, now: datetime) -> str:
    """When a collection ends, as people say it, RFC 3339: a span from now, the end of a day, or a time."""
    span, day = _SPAN.fullmatch(text), text.lower()
    if span is not None:
        return (now + timedelta(hours=int(span[1]) * _HOURS[span[2]])).isoformat()
    named = [index for index, name in enumerate(_DAYS) if len(day) >= 3 and name.startswith(day)]
    if named:
        return _end(now + timedelta(days=(named[0] - now.weekday()) % 7)).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day, no time and no span like 3d") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo or UTC)
    return (_end(moment) if len(text) == 10 else moment).isoformat()


def _end(moment: datetime) -> datetime:
    """The end of its day."""
    return moment.replace(hour=23, minute=59, second=59, microsecond=0)


def _table(page: CollectionPage) -> RenderableType:
    lines = (
        (c.id, c.request.group, c.state.value, f"{c.uploaded} of {c.request.count}", when(c.request.until))
        for c in page.collections
    )
    return rows(("id", "group", "state", "came", "until"), lines, "No collection yet.")


def _details(found: Collection) -> RenderableType:
    refused = ", ".join(f"{why}: {count}" for why, count in sorted(found.refused.items()))
    head = details(
        (
            ("id", found.id),
            ("group", found.request.group),
            ("state", found.state.value),
            ("asked", str(found.request.count)),
            ("kept", str(found.kept)),
            ("uploaded", str(found.uploaded)),
            ("refused", refused or None),
            ("devices", f"{found.told} of {found.device_count} have heard of it"),
            ("until", when(found.request.until)),
            ("ended", when(found.ended_at)),
        )
    )
    lines = (
        (d.device, str(d.asked), str(d.kept), str(d.uploaded), _why(d.why, d.refused, d.told_at)) for d in found.devices
    )
    return Group(head, rows(("device", "asked", "kept", "uploaded", "why"), lines, "")) if found.devices else head


def _why(why: str, refused: dict[str, int], told_at: str | None) -> str:
    said = "; ".join(f"{reason}: {count}" for reason, count in sorted(refused.items()))
    return " ".join(filter(None, (why, said))) or ("" if told_at else "it has not heard of it yet")


def _schedules(found: list[ScheduledCollection]) -> RenderableType:
    lines = (
        (s.document.name, s.document.schedule, s.document.group, str(s.document.count), when(s.next_at), s.problem)
        for s in found
    )
    return rows(("name", "schedule", "group", "images", "next", "problem"), lines, "No schedule yet.")
