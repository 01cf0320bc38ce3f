"""`lineside up`: start the control plane and stay with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Annotated

import msgspec
import typer

from lineside.cli.attached import attached
from lineside.cli.connection import DEFAULT_ROOT, first_link, option_of, read_server
from lineside.cli.extras import need_extra
from lineside.cli.options import Json
from lineside.cli.output import Output
from lineside.cli.roots import remember_root
from lineside.contract.errors import ErrorReport, Kind, LinesideError, RemoteError

SERVER = (sys.executable, "-m", "lineside.server")

_READY = "ready "  # the server's one line on standard output, then its address


def up(
    root: Annotated[
        Path, typer.Option("--root", envvar="LINESIDE_ROOT", help="Folder that holds everything.")
    ] = DEFAULT_ROOT,
    port: Annotated[
        int | None, typer.Option("--port", help="Port of the pages and people's API; 8400 if free.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Argument(metavar="--SETTING VALUE", help="Other settings: --device-port 9443.")
    ] = None,
    json: Json = False,
) -> None:
    """Start the control plane: pages, APIs, broker and worker. Ctrl-C ends it."""
    out = Output(json)
    root = root.expanduser().resolve()
    with out.explaining():
        need_extra("server")
        ports = [] if port is None else ["--port", str(port)]
        status = stay_with([*SERVER, "--root", str(root), *ports, *(setting or [])], root, out)
    raise typer.Exit(status)


def stay_with(program: list[str], root: Path, out: Output) -> int:
    """Run a control plane, say when it is ready, hand on signals; answers its exit status."""
    with (
        subprocess.Popen(
            attached(program),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if out.json else None,
            text=True,
            start_new_session=True,
        ) as child,
        _forwarding(child),
    ):
        assert child.stdout is not None
        words = _relay(child.stdout, root, out)
        status = child.wait()
    if out.json and words is not None:
        raise refusal(words, root / "server.log")
    return status if status >= 0 else 128 - status


def refusal(words: str, log: Path) -> LinesideError:
    """What a control plane that did not become ready said: a sentence and the next step, or a crash's last line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    if len(lines) == 2:
        return RemoteError(ErrorReport(code="start.failed", message=lines[0], next=lines[1]), Kind.UNAVAILABLE)
    return LinesideError("start.failed", why=lines[-1] if lines else "it said nothing", log=log)


def _relay(lines: IO[str], root: Path, out: Output) -> str | None:
    """Pass on what the control plane says; what it said in all when it never became ready, else None."""
    words: list[str] | None = []
    for line in lines:
        if line.startswith(_READY):
            _welcome(line.removeprefix(_READY).strip(), root, out)
            words = None
        elif words is not None:
            words.append(line)
        if not (line.startswith(_READY) or out.json):
            out.say(line.rstrip("\n"))
    return None if words is None else "".join(words)


def _welcome(url: str, root: Path, out: Output) -> None:
    remember_root(root)
    link, option = first_link(root), option_of(root)
    if out.json:
        out.line((msgspec.to_builtins(read_server(root)) or {}) | {"first_link": link})
        return
    out.console.print(f"Lineside is up: {url}", markup=False)
    out.console.print(f"  root         {root}", markup=False)
    if link:
        out.console.print(f"  first admin  {link}", markup=False, soft_wrap=True)
        out.console.print("               choose a password there; the link works once, within 24 hours", markup=False)
    out.console.print(f"  first data   lineside datasets import DIR{option}", markup=False)
    out.console.print(f"  first device lineside devices token{option}", markup=False)
    out.console.print("Ctrl-C ends it.", markup=False)


@contextmanager
def _forwarding(child: subprocess.Popen[str]) -> Iterator[None]:
    """The child sits in a session of its own, so that one Ctrl-C reaches it once, from here."""

    def forward(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
