"""`lineside rollouts`: how deployments reach their devices."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from lineside.cli import rollout_view as view
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import Output, session
from lineside.client import Client
from lineside.contract.rollout import OPEN, DeviceProgress, Rollout, RolloutState

app = typer.Typer(name="rollouts", help="Rollouts: deployments on their way through waves.", no_args_is_help=True)

RolloutId = Annotated[str, typer.Argument(help="Id of a rollout.")]

_EVERY = 1.0  # seconds between questions


@app.command("list")
def list_(
    group: Annotated[str | None, typer.Option("--group", help="Only rollouts to this group.")] = None,
    before: Annotated[str | None, typer.Option("--before", help="Only rollouts older than this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List rollouts, newest first."""
    with session(url, root, json) as (client, out):
        found = client.rollouts(group=group, before=before, limit=limit)
        out.show(found, view.table)
        out.follows(found.total, "" if found.next is None else f"Older ones: --before {found.next}")


@app.command()
def show(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a rollout: its waves, gates and history, and what it waits for."""
    with session(url, root, json) as (client, out):
        out.show(client.rollout(rollout), view.details_of)


@app.command()
def devices(
    rollout: RolloutId,
    progress: Annotated[
        DeviceProgress | None, typer.Option("--progress", help="Only devices that stand there.")
    ] = None,
    wave: Annotated[int | None, typer.Option("--wave", min=1, help="Only devices of this wave.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Go on after this mark, the `next` of a page.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List the devices of a rollout, by wave and name."""
    with session(url, root, json) as (client, out):
        page = client.rollout_devices(rollout, progress=progress, wave=wave, after=after, limit=limit)
        out.show(page, view.devices)


@app.command()
def pause(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Tell no further device until the rollout goes on."""
    with session(url, root, json) as (client, out):
        out.show(client.pause_rollout(rollout), view.details_of)


@app.command()
def resume(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let a paused rollout go on."""
    with session(url, root, json) as (client, out):
        out.show(client.resume_rollout(rollout), view.details_of)


@app.command()
def abort(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Stop a rollout where it is; devices keep what they were told."""
    with session(url, root, json) as (client, out):
        out.show(client.abort_rollout(rollout), view.details_of)


@app.command()
def rollback(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Send every device of a rollout back to what worked before."""
    with session(url, root, json) as (client, out):
        out.show(client.roll_back_rollout(rollout), view.details_of)


@app.command()
def retry(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let the failed devices of a rollout try again."""
    with session(url, root, json) as (client, out):
        out.show(client.retry_rollout(rollout), view.details_of)


@app.command()
def watch(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Watch a rollout until it ends; exits with 1 unless it succeeded. With --json a line for each change."""
    with session(url, root, json) as (client, out):
        ended = _followed(client, rollout, out)
        if not json:
            out.show(ended, view.details_of)
    if ended.state is not RolloutState.SUCCEEDED:
        raise typer.Exit(1)


def _followed(client: Client, rollout: str, out: Output) -> Rollout:
    seen: Rollout | None = None
    while seen is None or seen.state in OPEN:
        if seen is not None:
            time.sleep(_EVERY)
        now = client.rollout(rollout)
        if now != seen and out.json:
            out.line(now)
        elif now != seen:
            out.say(view.sentence(now))
        seen = now
    return seen
