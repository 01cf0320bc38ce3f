"""`lineside agent join | run | status`, with the standard library's argparse: a device needs no CLI framework."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lineside.agent.link.join import JoinOptions, join
from lineside.agent.lock import locked
from lineside.agent.paths import Paths
from lineside.agent.run import run
from lineside.agent.status import sentence, status
from lineside.contract.errors import LinesideError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 refused or failed (one sentence and the next command on stderr)."""
    options = _parser().parse_args(argv)
    try:
        code: int = options.command(options)
    except LinesideError as error:
        return _complain(error, options.json)
    except PermissionError as error:
        return _complain(LinesideError("agent.root_read_only", root=error.filename or options.root), options.json)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lineside agent", description="Make this device become its desired document.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    joining = commands.add_parser("join", help="join a control plane with a token")
    joining.add_argument("url", metavar="URL", help="the control plane's device address, https://HOST:PORT")
    joining.add_argument("--token", required=True, help="a join token")
    joining.add_argument("--ca-sha256", required=True, help="SHA-256 fingerprint of the control plane's CA")
    joining.add_argument("--name", default=socket.gethostname(), help="the device's name (default: the host's)")
    joining.add_argument("--twin", action="store_true", help="join as a twin: a simulated device that tests releases")
    joining.add_argument("--force", action="store_true", help="join again though the root has joined before")
    joining.set_defaults(command=_join)
    running = commands.add_parser("run", help="run the agent until SIGTERM or Ctrl-C")
    running.set_defaults(command=_run)
    showing = commands.add_parser("status", help="show what this device runs")
    showing.set_defaults(command=_status)
    for command in (joining, running, showing):
        command.add_argument("--root", type=Path, default=_default_root(), help="the agent's directory (%(default)s)")
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _default_root() -> Path:
    return Path(os.environ.get("LINESIDE_AGENT_HOME") or Path.home() / ".lineside" / "agent")


def _join(options: argparse.Namespace) -> int:
    paths = _paths(options)
    wanted = JoinOptions(
        url=options.url,
        token=options.token,
        ca_sha256=options.ca_sha256,
        name=options.name,
        twin=options.twin,
        force=options.force,
    )
    with locked(paths):
        joined = join(wanted, paths)
    text = f"Joined as {joined.device}. Next: lineside agent run --root {paths.root}"
    _print(msgspec.json.encode(joined).decode() if options.json else text)
    return 0


def _run(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    run(_paths(options))
    return 0


def _status(options: argparse.Namespace) -> int:
    found = status(_paths(options))
    _print(msgspec.json.encode(found).decode() if options.json else sentence(found))
    return 0


def _paths(options: argparse.Namespace) -> Paths:
    return Paths(options.root.absolute())


def _complain(error: LinesideError, as_json: bool) -> int:
    if as_json:
        _print(msgspec.json.encode({"error": error.report()}).decode())
    else:
        sys.stderr.write(f"{error.message}\n{error.next}\n")
    return 1


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
