"""All commands, wired: one file a noun."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated

import typer

from lineside import __version__
from lineside.cli import (
    audit,
    broker,
    captures,
    components,
    databases,
    datasets,
    deliver,
    deployments,
    devices,
    drift,
    events,
    groups,
    lineage,
    login,
    loops,
    models,
    objects,
    overview,
    results,
    review,
    rollouts,
    runs,
    runtime,
    secrets,
    tokens,
    trust,
    twin,
    up,
    users,
    webhooks,
    workers,
)
from lineside.cli.demo import command as demo
from lineside.cli.main import program

app = typer.Typer(
    name="lineside",
    help="Train vision models, ship them to devices, run them there, and bring back what they saw.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up", context_settings={"ignore_unknown_options": True})(up.up)
app.command("demo")(demo.demo)
app.command("overview")(overview.overview)
app.command("deliver")(deliver.deliver)
app.command("lineage")(lineage.lineage)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(login.whoami)
app.command("workers")(workers.workers)
app.command("worker")(workers.worker)
for noun in (
    devices,
    groups,
    datasets,
    runs,
    loops,
    models,
    components,
    deployments,
    rollouts,
    deliver,
    twin,
    results,
    captures,
    review,
    drift,
    runtime,
    events,
    audit,
    broker,
    databases,
    objects,
    secrets,
    webhooks,
    trust,
    users,
    tokens,
):
    app.add_typer(noun.app)


@app.command(
    "agent",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def agent(context: typer.Context) -> None:
    """Make this machine a device: agent join, agent run, agent status."""
    raise typer.Exit(program("agent", context.args))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lineside {__version__}")
        raise typer.Exit


@app.callback()
def lineside(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version)] = False,
) -> None:
    """Train vision models, ship them to devices, run them there, and bring back what they saw."""


_put_together = cache(typer.main.get_command)  # takes longer than most commands: once in a process


def run(arguments: Sequence[str]) -> int:
    """Run one command; answers its exit status (2 for a command line that is not understood)."""
    try:
        _put_together(app)(args=list(arguments), prog_name="lineside")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
