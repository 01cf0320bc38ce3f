"""Writes the reference pages that are made from code: `make docs`. A test fails when a committed page has drifted.

docs/reference/errors.md      every error code                 from lineside.contract.error_codes
docs/reference/states.md      every state machine              from the tables of moves in lineside.contract
docs/reference/settings.md    every setting                    from lineside.server.settings
docs/reference/cli.md         every command                    from lineside.cli
docs/reference/operations.md  API, client and CLI side by side from lineside.cli.operations
docs/reference/permissions.md what each route needs            from lineside.server.app
docs/schemas/*.json           what travels, as JSON Schema     from lineside.contract
docs/schemas/openapi.json     people's API                     from lineside.server.app
"""

from __future__ import annotations

import enum
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import typer

from lineside.cli.app import app
from lineside.cli.operations import OPERATIONS
from lineside.contract.approval import TwinReport
from lineside.contract.bundle import Bundle
from lineside.contract.capture import CaptureRecord
from lineside.contract.delivery import DELIVERY_MOVES, DeliveryState
from lineside.contract.deployment import DeploymentDocument
from lineside.contract.desired import Desired
from lineside.contract.device import DEVICE_MOVES, DeviceState
from lineside.contract.error_codes import PROBLEMS
from lineside.contract.error_codes.general import WHERE
from lineside.contract.evaluation import Evaluation
from lineside.contract.golden import GoldenSet
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.loop import LoopDocument
from lineside.contract.model import MODEL_MOVES, ModelState, Signature
from lineside.contract.people import Permission
from lineside.contract.reported import Report
from lineside.contract.result import Result
from lineside.contract.rollout import ROLLOUT_MOVES, RolloutState
from lineside.contract.run import RUN_MOVES, RunState
from lineside.contract.twin import TWIN_MOVES, Profile, TwinState
from lineside.server.access.permissions import needed
from lineside.server.access.testing import OpenDoor
from lineside.server.app import build
from lineside.server.settings import table
from lineside.server.testing import make_core

HERE = Path(__file__).resolve().parent
_MADE = "<!-- made by `make docs`; do not edit -->\n\n"
_SCHEMAS: dict[str, type] = {
    "result": Result,
    "report": Report,
    "desired": Desired,
    "capture": CaptureRecord,
    "signature": Signature,
    "golden": GoldenSet,
    "evaluation": Evaluation,
    "deployment": DeploymentDocument,
    "loop": LoopDocument,
    "bundle": Bundle,
    "inquiry": Inquiry,
    "inquiry-part": InquiryPart,
    "twin-profile": Profile,
    "twin-report": TwinReport,
}


def errors() -> str:
    """Every error code with its sentence and next step."""
    rows = [
        f"| `{problem.code}` | {problem.kind.value} | {problem.sentence} | {problem.listed or problem.next} |"
        for problem in sorted(PROBLEMS.values(), key=lambda problem: problem.code)
    ]
    head = "# Error codes\n\nThe number is the HTTP status it travels under. Words in braces are parameters.\n\n"
    table = "| code | status | sentence | next |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    missing = "\n## What there is none of\n\n`request.not_found` says the next step by what was looked for.\n\n"
    nexts = "\n".join(f"| {what} | {after} |" for what, after in sorted(WHERE.items()))
    return f"{_MADE}{head}{table}{missing}| what | next |\n|---|---|\n{nexts}\n"


def _machine(title: str, states: type[enum.Enum], moves: Mapping[enum.Enum, frozenset[enum.Enum]]) -> str:
    arrows = [
        f"    {current.value} --> {wanted.value}"
        for current in states
        for wanted in sorted(moves[current], key=lambda state: str(state.value))
    ]
    return f"## {title}\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(arrows) + "\n```\n"


def states() -> str:
    """Every state machine as a diagram, from the table that the code checks."""
    machines = (
        _machine("Model version", ModelState, MODEL_MOVES),
        _machine("Twin test", TwinState, TWIN_MOVES),
        _machine("Run", RunState, RUN_MOVES),
        _machine("Rollout", RolloutState, ROLLOUT_MOVES),
        _machine("Delivery", DeliveryState, DELIVERY_MOVES),
        _machine("Device", DeviceState, DEVICE_MOVES),
    )
    return (
        _MADE
        + "# States\n\nEach diagram is drawn from the one table of moves that the code checks.\n\n"
        + "\n".join(machines)
    )


def settings() -> str:
    """Every setting of the control plane."""
    rows = [
        f"| `{row.flag}` | `{row.env}` | {f'`{row.default}`' if row.default else ''} | {row.unit} | {row.meaning} |"
        for row in table()
    ]
    head = "# Settings of the control plane\n\nA flag of `lineside up` beats its environment variable.\n\n"
    columns = "| flag | environment | default | unit | meaning |\n|---|---|---|---|---|\n"
    return _MADE + head + columns + "\n".join(rows) + "\n"


def operations() -> str:
    """What can be done, by API, client and command."""
    rows = [
        f"| `{one.route}` | `{one.method}` | {f'`lineside {one.command}`' if one.command else one.reason} |"
        for one in OPERATIONS
    ]
    head = "# Operations\n\nRoutes are below `/api/v1`; methods are those of `lineside.client.Client`.\n\n"
    return _MADE + head + "| API | client | command |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def cli() -> str:
    """Every command with its options."""
    return _MADE + "# Commands\n\n" + "\n".join(_commands(typer.main.get_command(app), ("lineside",)))


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    if not hasattr(command, "commands"):
        yield _command(command, path)
        return
    for name in sorted(command.commands):
        yield from _commands(command.commands[name], (*path, name))


def _command(command: Any, path: tuple[str, ...]) -> str:
    context = click.Context(command, info_name=" ".join(path), terminal_width=100)
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [f"| `{name}` | {meaning.strip()} |" for name, meaning in filter(None, records)]
    options = "\n| option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    words = " ".join((command.help or "").split())
    return f"## `{' '.join(path)}`\n\n{words}\n\n```\n{usage}\n```\n{options}"


def openapi() -> str:
    """People's API as OpenAPI 3.1."""
    with _people() as people:
        schema = people.openapi_schema.to_schema()
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def permissions() -> str:
    """What each route of people's API and pages needs, from the routes themselves."""
    with _people() as people:
        rows = sorted(
            (route.path, method, needed(handler.opt, frozenset({method})) or ())
            for route in people.routes
            for handler in route.route_handlers
            for method in map(str, handler.http_methods)
            if method != "OPTIONS"
        )
    lines = [f"| `{method} {path}` | {_who(wanted)} |" for path, method, wanted in rows]
    head = "# Permissions\n\nOne of those named is enough; see [who may do what](../access.md).\n\n"
    return _MADE + head + "| route | needs |\n|---|---|\n" + "\n".join(lines) + "\n"


def _who(wanted: tuple[Permission, ...]) -> str:
    if not wanted:
        return "anybody"
    return "anybody signed in" if set(wanted) == set(Permission) else " or ".join(one.value for one in wanted)


@contextmanager
def _people() -> Iterator[Any]:
    """The application that answers people, on a root of its own."""
    with tempfile.TemporaryDirectory() as folder:
        core = make_core(Path(folder))
        try:
            yield build(core, OpenDoor()).people
        finally:
            core.database.close()


def _schema(kind: type) -> str:
    return json.dumps(msgspec.json.schema(kind), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def pages() -> Iterator[tuple[str, Callable[[], str]]]:
    """Every generated page: its path below docs/ and what makes it."""
    yield "reference/errors.md", errors
    yield "reference/states.md", states
    yield "reference/settings.md", settings
    yield "reference/operations.md", operations
    yield "reference/cli.md", cli
    yield "reference/permissions.md", permissions
    yield "schemas/openapi.json", openapi
    for name, kind in _SCHEMAS.items():
        yield f"schemas/{name}.json", lambda kind=kind: _schema(kind)


def main() -> int:
    """Write every page; answers how many changed."""
    changed = 0
    for name, make in pages():
        page, text = HERE / name, make()
        if not page.exists() or page.read_text() != text:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text)
            changed += 1
            sys.stdout.write(f"wrote docs/{name}\n")
    return changed


if __name__ == "__main__":
    main()
