"""`deploy`, `import`, `deployments`: deploying on the device itself, with or without a control plane."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lineside.agent.commands.common import Commands, add_command, paths_of, show
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

if TYPE_CHECKING:
    from lineside.agent.bus.ports import LocalDeploymentRequest
    from lineside.agent.local.model import Entry
    from lineside.agent.paths import Paths

_ENDED = ("SUCCEEDED", "FAILED", "CANCELED")
_INTERVAL = 0.2


def add(commands: Commands) -> None:
    """Add them to the parser."""
    deploying = add_command(commands, "deploy", "deploy components on this device, without a control plane", _deploy)
    deploying.add_argument("--recipe", metavar="FILE", type=Path, nargs="+", default=[], help="recipes, JSON or YAML")
    deploying.add_argument("--artifacts", metavar="DIR", type=Path, help="where the recipes' artifacts lie")
    deploying.add_argument("--merge", metavar="JSON", help='configuration to merge: {"COMPONENT": {…}}')
    deploying.add_argument("--configuration", metavar="FILE", type=Path, help="the same from a file")
    deploying.add_argument("--reset", metavar="JSON", help='configuration to reset: {"COMPONENT": ["/pointer"]}')
    deploying.add_argument("--run-with", metavar="JSON", help='{"COMPONENT": {"posixUser": "u:g", …}}')
    deploying.add_argument("--remove", metavar="NAME", nargs="+", default=[], help="components to remove")
    deploying.add_argument("--keep", action="store_true", help="leave a failed deployment as it is (DO_NOTHING)")
    importing = add_command(commands, "import", "take in an offline bundle", _import)
    importing.add_argument("bundle", metavar="BUNDLE", type=Path, help="made by: lineside deployments bundle")
    for one in (deploying, importing):
        one.add_argument("--wait", metavar="SECONDS", type=float, help="wait for its end; exit 1 unless it succeeded")
    listing = add_command(commands, "deployments", "show what was deployed on this device", _deployments)
    listing.add_argument("--cancel", metavar="ID", help="cancel one that has not ended")


def _deploy(options: argparse.Namespace) -> int:
    from lineside.agent.local.history import describe
    from lineside.agent.local.prepare import read_recipes
    from lineside.agent.local.spool import Spool
    from lineside.agent.platforms import this_platform

    paths = paths_of(options)
    request = _request(options, read_recipes(options.recipe, this_platform()))
    spool = Spool(paths)
    id = spool.deploy(request, describe(request), options.recipe)
    return _handed_over(options, paths, id, running=spool.wake())


def _request(options: argparse.Namespace, add: dict[str, str]) -> LocalDeploymentRequest:
    """Raises `local.bad_request`, `local.nothing_to_do`, `local.file_unreadable`."""
    from lineside.agent.bus.ports import LocalDeploymentRequest

    if options.artifacts is not None and not options.artifacts.is_dir():
        raise LinesideError("local.file_unreadable", path=options.artifacts, why="it is no folder")
    merge = _read(options.configuration) if options.configuration else options.merge
    document = {
        "add": add,
        "remove": options.remove,
        "merge": _json(merge),
        "reset": _json(options.reset),
        "run_with": _json(options.run_with),
        "artifacts": str(options.artifacts.absolute()) if options.artifacts else None,
        "failure_policy": "DO_NOTHING" if options.keep else "ROLLBACK",
    }
    try:
        request = msgspec.convert(document, LocalDeploymentRequest)
    except msgspec.ValidationError as error:
        raise LinesideError("local.bad_request", why=error) from error
    if not (request.add or request.remove or request.merge or request.reset or request.run_with):
        raise LinesideError("local.nothing_to_do")
    return request


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("local.file_unreadable", path=path, why=error) from error


def _json(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text) if text is not None else {}
    except UNREADABLE as error:
        raise LinesideError("local.bad_request", why=f"{text[:80] if text else ''}: {error}") from error


def _import(options: argparse.Namespace) -> int:
    from lineside.agent.link import join_state
    from lineside.agent.local.bundle_file import BundleFile
    from lineside.agent.local.bundles import check_for, check_joined
    from lineside.agent.local.spool import Spool

    paths = paths_of(options)
    check_joined(paths)
    file = BundleFile(options.bundle)
    try:
        bundle, _ = file.document()
        check_for(bundle, join_state.load(paths), None)
        file.check_complete(bundle)
    finally:
        file.close()
    for_whom = f"group {bundle.group}" if bundle.group else f"revision {bundle.desired.revision}"
    spool = Spool(paths)
    id = spool.bundle(options.bundle, f"{bundle.name} ({for_whom})")
    return _handed_over(options, paths, id, running=spool.wake())


def _handed_over(options: argparse.Namespace, paths: Paths, id: str, *, running: bool) -> int:
    """Say what comes next, or wait for it."""
    if options.wait is not None:
        entry = _await(paths, id, options.wait)
        show(options, entry, _line(entry))
        return 0 if entry.status == "SUCCEEDED" else 1
    follow = f"lineside agent deployments --root {paths.root}"
    start = f"lineside agent run --root {paths.root}"
    text = f"{id}\nNext: {follow}" if running else f"{id}\nNo agent runs on {paths.root}. Next: {start}"
    show(options, {"id": id, "agent_running": running}, text)
    return 0


def _await(paths: Paths, id: str, seconds: float) -> Entry:
    """A deployment once it has ended, or as it is after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        entry = next(one for one in _all(paths) if one.id == id)
        if entry.status in _ENDED or time.monotonic() > until:
            return entry
        time.sleep(_INTERVAL)


def _all(paths: Paths) -> list[Entry]:
    from lineside.agent.local.history import entries
    from lineside.agent.local.records import peek
    from lineside.agent.local.spool import Spool

    return entries(peek(paths.database), Spool(paths))


def _deployments(options: argparse.Namespace) -> int:
    from lineside.agent.local.spool import Spool

    paths = paths_of(options)
    found = _all(paths)
    if options.cancel:
        _check_cancel(options.cancel, found)
        spool = Spool(paths)
        spool.cancel(options.cancel)
        spool.wake()
        show(options, {"id": options.cancel}, f"{options.cancel} is to be cancelled.")
        return 0
    show(options, found, "\n".join(_line(one) for one in found) or "Nothing was deployed on this device.")
    return 0


def _check_cancel(id: str, found: list[Entry]) -> None:
    entry = next((one for one in found if one.id == id), None)
    if entry is None:
        raise LinesideError("bus.deployment_unknown", deployment=id)
    if entry.status in _ENDED:
        raise LinesideError("local.ended", id=id, status=entry.status)


def _line(entry: Entry) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.created_at))
    line = f"{entry.id}  {moment}  {entry.status:<11}  {entry.what}"
    if entry.error is not None:
        line += f"\n  {entry.error.code}: {entry.error.message}\n  {entry.error.next}"
    return line
