"""`secret set | list | remove`: what components may read by GetSecretValue."""

from __future__ import annotations

import argparse
import sys

from lineside.agent.commands.common import Commands, add_command, paths_of, show
from lineside.agent.keys.opening import open_keys
from lineside.agent.secrets import Secrets


def add(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("secret", help="keep secrets for components on this device")
    inner = parser.add_subparsers(required=True, metavar="COMMAND")
    setting = add_command(inner, "set", "give a secret a new value, read from standard input", _set)
    setting.add_argument("name", metavar="NAME", help="the secret's name")
    add_command(inner, "list", "list the secrets' names", _list)
    removing = add_command(inner, "remove", "forget a secret", _remove)
    removing.add_argument("name", metavar="NAME", help="the secret's name")


def _set(options: argparse.Namespace) -> int:
    version = _secrets(options).set(options.name, sys.stdin.buffer.read().removesuffix(b"\n"))
    show(options, {"name": options.name, "version": version}, f"{options.name} has a new value, version {version}")
    return 0


def _list(options: argparse.Namespace) -> int:
    secrets = _secrets(options)
    here, delivered = secrets.names(), secrets.delivered()
    lines = [*here, *(f"{name} (from the control plane)" for name in delivered)]
    show(options, {"secrets": here, "delivered": delivered}, "\n".join(lines) or "no secrets")
    return 0


def _remove(options: argparse.Namespace) -> int:
    _secrets(options).remove(options.name)
    show(options, {"name": options.name}, f"{options.name} is forgotten")
    return 0


def _secrets(options: argparse.Namespace) -> Secrets:
    paths = paths_of(options)
    return Secrets(paths.secrets, open_keys(paths))
