"""`diagnose`: the checks a person makes first when a device misbehaves."""

from __future__ import annotations

import argparse

import msgspec

from lineside.agent.commands.common import Commands, add_command, paths_of, say


def add(commands: Commands) -> None:
    """Add it to the parser."""
    add_command(commands, "diagnose", "check disk, clock, certificate, network and more, with next steps", _diagnose)


def _diagnose(options: argparse.Namespace) -> int:
    """Each check as it is done; 1 when one failed."""
    from lineside.agent.health.checks import diagnose
    from lineside.agent.health.checks.subject import Subject
    from lineside.agent.local.alone import identity

    paths = paths_of(options)
    results = []
    for one in diagnose(Subject(paths, identity(paths))):
        results.append(one)
        if not options.json:
            say(f"{'ok  ' if one.ok else 'FAIL'}  {one.name:<12} {one.sentence}")
            if not one.ok and one.next:
                say(f"{'':18} {one.next}")
    if options.json:
        say(msgspec.json.encode(results).decode())
    return 0 if all(one.ok for one in results) else 1
