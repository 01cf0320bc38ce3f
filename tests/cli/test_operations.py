"""API, client and commands offer the same operations."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import typer
from litestar.routes import HTTPRoute

from lineside.cli.app import app
from lineside.cli.operations import OPERATIONS
from lineside.client import Client
from lineside.server.access.testing import OpenDoor
from lineside.server.app import build
from lineside.server.testing import make_core

_NOT_OPERATIONS = {
    "up": "starts the control plane",
    "demo": "plays the loop with the other commands' operations",
    "agent": "another room's program",
    "worker": "another room's program",
    "database copy": "works on a root whose control plane is stopped",
    "objects copy": "reads the root, which need not run",
    "components check": "reads a file of this machine",
    "runtime bench": "runs a model on this machine",
    "runtime status": "reads the work folder of a run on this machine",
    "runtime try": "runs a model on this machine",
    "models export": "writes what other operations answer",
    "trust key make": "makes a file on this machine",
    "twin stop": "ends processes on this machine",
    "twin profiles": "prints a table",
}


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    commands = getattr(group, "commands", None)
    if commands is None:
        yield " ".join(path)
        return
    for name, command in commands.items():
        yield from _commands(command, (*path, name))


PROGRAM = typer.main.get_command(app)
COMMANDS = set(_commands(PROGRAM))


def test_every_method_of_the_client_is_in_the_table() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    methods.remove("close")  # of the client itself, no operation
    assert methods == {operation.method for operation in OPERATIONS}


def test_every_operation_has_a_command_or_a_reason() -> None:
    for operation in OPERATIONS:
        assert (operation.command is None) == bool(operation.reason), operation.method


def test_the_commands_are_those_of_the_table_and_the_named_others() -> None:
    offered = {operation.command for operation in OPERATIONS if operation.command}
    assert COMMANDS - set(_NOT_OPERATIONS) == offered
    assert not offered & set(_NOT_OPERATIONS)


def test_every_command_explains_itself_and_speaks_json() -> None:
    for operation in OPERATIONS:
        if operation.command is None:
            continue
        command = PROGRAM
        for part in operation.command.split():
            command = command.commands[part]  # type: ignore[attr-defined]
        assert command.help, operation.command
        assert any("--json" in parameter.opts for parameter in command.params), operation.command


def test_the_routes_of_the_api_are_those_of_the_table(tmp_path: Path) -> None:
    core = make_core(tmp_path)
    try:
        people = build(core, OpenDoor()).people
        routes = {
            f"{method} {_shape(route.path.removeprefix('/api/v1'))}"
            for route in people.routes
            if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1/")
            for method in route.methods - {"OPTIONS", "HEAD"}
        }
    finally:
        core.database.close()
    assert routes == {_shape(operation.route) for operation in OPERATIONS}


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)
