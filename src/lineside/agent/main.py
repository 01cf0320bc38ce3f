"""`lineside agent COMMAND`, with the standard library's argparse: a device needs no CLI framework."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from lineside.agent.commands import deploying, device, diagnosing, secrets, service
from lineside.agent.commands.common import say
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
    for part in (device, deploying, diagnosing, secrets, service):
        part.add(commands)
    return parser


def _complain(error: LinesideError, as_json: bool) -> int:
    if as_json:
        say(msgspec.json.encode({"error": error.report()}).decode())
    else:
        sys.stderr.write(f"{error.message}\n{error.next}\n")
    return 1
