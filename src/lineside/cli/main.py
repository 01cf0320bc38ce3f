"""The `lineside` command's front door: standard library and contract only, so that a device needs no CLI framework.

`lineside agent …` and `lineside worker …` go straight to these programs; everything else needs the [cli] extra and is
found in `app.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lineside import __version__
from lineside.contract.errors import LinesideError

_PROGRAMS = "lineside.programs"
_CLI_PARTS = ("typer", "rich")
_EXTRA_OF = {"up": "server", "demo": "all"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; answers its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["agent"], ["worker"]):
        return program(arguments[0], arguments[1:])
    if arguments == ["--version"]:
        sys.stdout.write(f"lineside {__version__}\n")
        return 0
    try:
        from lineside.cli.app import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _CLI_PARTS:
            raise
        if arguments[:1] == ["runtime"]:  # on a device, which has no CLI framework
            return program("runtime", ["carry" if one == "bench" else one for one in arguments[1:2]] + arguments[2:])
        return _refuse(LinesideError("start.extra_missing", extra=_EXTRA_OF.get("".join(arguments[:1]), "cli")))
    return run(arguments)


def program(name: str, arguments: Sequence[str]) -> int:
    """Hand over to another room's program in this process, by its entry point."""
    from importlib.metadata import entry_points  # takes longer than many a command

    (entry,) = entry_points(group=_PROGRAMS, name=name)
    status: int | None = entry.load()(list(arguments))
    return status or 0


def _refuse(error: LinesideError) -> int:
    sys.stderr.write(f"{error.message}\nNext: {error.next}\n")
    return 1
