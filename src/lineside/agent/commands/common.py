"""What every command has: its root, JSON or words, and where output goes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.agent.paths import Paths

Handler = Callable[[argparse.Namespace], int]
Commands = Any
"""What argparse's `add_subparsers` returns; it has no public type."""


def default_root() -> Path:
    """`LINESIDE_AGENT_HOME`, else a folder of the user's."""
    return Path(os.environ.get("LINESIDE_AGENT_HOME") or Path.home() / ".lineside" / "agent")


def add_command(commands: Commands, name: str, help: str, handler: Handler) -> argparse.ArgumentParser:
    """A command with the options that all have."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=f"{help[:1].upper()}{help[1:]}.")
    parser.add_argument("--root", type=Path, default=default_root(), help="the agent's directory (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=handler)
    return parser


def paths_of(options: argparse.Namespace) -> Paths:
    """The layout of the root that was named."""
    return Paths(options.root.absolute())


def show(options: argparse.Namespace, value: object, text: str) -> None:
    """Print a value as JSON, or the same in words."""
    say(msgspec.json.encode(value).decode() if options.json else text)


def say(text: str) -> None:
    """One answer on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
