"""`python -m lineside.server --root DIR [--setting value …]`: the control plane. See `settings` for the settings."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.server.settings import Settings, given, load, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal ends it; the exit status. What cannot start says why in one sentence, with the next step."""
    options = vars(_parser().parse_args(arguments))
    root = Path(options.pop("root")).expanduser().absolute()
    try:
        asked = given(options, os.environ)
        return _run(root, load(asked), asked)
    except LinesideError as error:
        sys.stderr.write(f"{error.message}\n{error.next}\n")
        return 1
    finally:
        gc.enable()


def _run(path: Path, settings: Settings, asked: Mapping[str, str]) -> int:
    gc.disable()  # what is imported and wired stays: nobody looks for garbage in it, now or later
    from lineside.server import logs  # the rest is imported only when the root is ours: a refusal comes at once
    from lineside.server.root import Root

    root = Root(path)
    (path / "server.json").unlink(missing_ok=True)
    from lineside.server.ports import listen

    listeners = listen(path, settings, asked)
    logs.configure(path / "server.log", settings.log_bytes)
    import uvloop

    from lineside.server.process import ControlPlane, print_ready

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            control_plane = ControlPlane(path, settings, listeners)
            gc.freeze()
            gc.enable()
            runner.run(control_plane.run(print_ready))
    finally:
        listeners.close()
        (path / "server.json").unlink(missing_ok=True)
        root.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lineside up", description="Runs the Lineside control plane.")
    parser.add_argument("--root", required=True, metavar="DIR", help="the folder that holds everything")
    for row in table():
        parser.add_argument(row.flag, dest=row.name, metavar=row.unit, help=f"{row.meaning} ({row.env}; {row.default})")
    return parser
