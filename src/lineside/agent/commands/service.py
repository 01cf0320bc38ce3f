"""`install` and `unit`: the agent as a service that may change itself."""

from __future__ import annotations

import argparse
import shlex

from lineside.agent.commands.common import Commands, add_command, paths_of, say, show


def add(commands: Commands) -> None:
    """Add them to the parser."""
    installing = add_command(
        commands, "install", "put the loader in place, so that the agent can update itself", _install
    )
    installing.add_argument("--remove", action="store_true", help="take it away again")
    unit = add_command(commands, "unit", "print a systemd unit for this agent", _unit)
    unit.add_argument("--user", help="run the agent as this user (default: root, who may run components as others)")


def _install(options: argparse.Namespace) -> int:
    from lineside.agent.loader.control import install, uninstall

    paths = paths_of(options)
    if options.remove:
        uninstall(paths)
        show(options, {"removed": True}, "Removed. Next: start the agent again.")
        return 0
    command = install(paths)
    show(options, {"command": command}, f"Installed. Next: start the agent again: {shlex.join(command)}")
    return 0


def _unit(options: argparse.Namespace) -> int:
    from lineside.agent.loader.control import install
    from lineside.agent.systemd.unit import unit

    paths = paths_of(options)
    text = unit(paths.root, install(paths), options.user)
    if options.json:
        show(options, {"unit": text}, "")
    else:
        say(text.rstrip("\n"))
    return 0
