"""`lineside agent`: hands over to the device's own program."""

from __future__ import annotations

import typer

from lineside.cli.main import program


def agent(context: typer.Context) -> None:
    """Make this machine a device: agent join, agent run, agent status."""
    raise typer.Exit(program("agent", context.args))
