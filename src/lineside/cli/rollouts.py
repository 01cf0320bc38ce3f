"""`lineside rollouts`: how deployments reach their devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, when
from lineside.contract.rollout import DeviceProgress, Rollout, RolloutState

app = typer.Typer(name="rollouts", help="Rollouts: deployments on their way through waves.", no_args_is_help=True)

RolloutId = Annotated[str, typer.Argument(help="Id of a rollout.")]

_GOOD = {
    RolloutState.SUCCEEDED: True,
    RolloutState.FAILED: False,
    RolloutState.ROLLING_BACK: False,
    RolloutState.ABORTED: False,
}
_DEVICE_GOOD = {DeviceProgress.HEALTHY: True, DeviceProgress.FAILED: False}


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List rollouts, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.rollouts(), _table)


@app.command()
def show(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a rollout: its devices, gates and history."""
    with session(url, root, json) as (client, out):
        out.show(client.rollout(rollout), _details)


@app.command()
def abort(rollout: RolloutId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Stop a rollout where it is."""
    with session(url, root, json) as (client, out):
        out.show(client.abort_rollout(rollout), _details)


def _table(rollouts: Sequence[Rollout]) -> RenderableType:
    lines = (
        (
            rollout.id,
            rollout.group,
            mark(_GOOD.get(rollout.state), rollout.state.value),
            f"{min(rollout.wave + 1, rollout.waves)}/{rollout.waves}",
            f"{sum(d.progress is DeviceProgress.HEALTHY for d in rollout.devices)}/{len(rollout.devices)}",
            when(rollout.created_at),
        )
        for rollout in rollouts
    )
    headings = ("id", "group", "state", "wave", "healthy", "created")
    return rows(headings, lines, "No rollout yet. Deploy something: lineside deployments create")


def _details(rollout: Rollout) -> RenderableType:
    head = details(
        (
            ("id", rollout.id),
            ("deployment", rollout.deployment),
            ("group", rollout.group),
            ("state", mark(_GOOD.get(rollout.state), rollout.state.value)),
            ("wave", f"{min(rollout.wave + 1, rollout.waves)} of {rollout.waves}"),
            ("created", when(rollout.created_at)),
            ("finished", when(rollout.finished_at)),
        )
    )
    return Group(head, _devices(rollout), _gates(rollout), _history(rollout))


def _devices(rollout: Rollout) -> RenderableType:
    lines = (
        (
            device.device,
            device.wave + 1,
            mark(_DEVICE_GOOD.get(device.progress), device.progress.value),
            f"{device.error.code}: {device.error.message}" if device.error else "",
        )
        for device in rollout.devices
    )
    return rows(("device", "wave", "progress", "error"), lines, "No device in the group yet.")


def _gates(rollout: Rollout) -> RenderableType:
    lines = (
        (
            gate.name,
            mark(gate.passed, {True: "passed", False: "failed", None: "not known yet"}[gate.passed]),
            gate.value,
            gate.limit,
            gate.reported,
        )
        for gate in rollout.gates
    )
    return rows(("gate", "outcome", "value", "limit", "reported"), lines, "")


def _history(rollout: Rollout) -> RenderableType:
    lines = ((when(move.at), f"{move.current} → {move.wanted}", move.why) for move in rollout.history)
    return rows(("at", "move", "why"), lines, "")
