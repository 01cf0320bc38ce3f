"""`lineside devices logs`, `diagnose` and `look`: asking a device, and showing its answer as it comes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import Output, session
from lineside.cli.table import BAD, DIM, GOOD
from lineside.client import Client
from lineside.client.asking import ask
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import (
    MAX_LINES,
    MAX_TTL,
    CheckResult,
    InquiryKind,
    InquiryPart,
    InquiryRequest,
    LivePicture,
)

Name = Annotated[str, typer.Argument(help="Name of the device.")]
Wait = Annotated[int, typer.Option("--wait", min=1, max=MAX_TTL, help="Seconds to wait for the device.")]

WRONG = 3
"""Exit status of a diagnosis that found something wrong."""

_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def logs(
    name: Name,
    component: Annotated[
        str | None, typer.Argument(help="Name of a component; the agent's own log if left out.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, max=MAX_LINES, help="How many lines to begin with.")
    ] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C; with --json one part a line.")
    ] = False,
    wait: Wait = 60,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the last lines of a component's log, or of the agent's own."""
    request = InquiryRequest(kind=InquiryKind.LOGS, component=component, lines=lines, follow=follow, ttl_seconds=wait)
    with session(url, root, json) as (client, out), _asking(client, out, name, request) as parts:
        if json and not follow:
            text = "".join(part.text for part in parts)
            out.line({"device": name, "component": component, "text": text})
            return
        for part in parts:
            if json:
                out.line(part)
            else:
                sys.stdout.write(printable(part.text))
                sys.stdout.flush()


def diagnose(name: Name, wait: Wait = 60, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let a device check itself: disk, clock, certificate, network and more. Exit status 3 if something is wrong."""
    request = InquiryRequest(kind=InquiryKind.DIAGNOSE, ttl_seconds=wait)
    checks: list[CheckResult] = []
    with session(url, root, json) as (client, out), _asking(client, out, name, request) as parts:
        for part in parts:
            for check in part.checks:
                checks.append(check)
                if not json:
                    out.console.print(_line(check))
        wrong = sum(not check.ok for check in checks)
        if json:
            out.line(checks)
        else:
            out.console.print(_sum(len(checks), wrong))
    if wrong:
        raise typer.Exit(WRONG)


def look(
    name: Name,
    component: Annotated[str, typer.Argument(help="A component that runs a model: tags.inference.")],
    save: Annotated[Path, typer.Option("--save", help="Where the picture is written, as JPEG.")],
    wait: Annotated[int, typer.Option("--wait", min=1, max=60, help="Seconds to wait for an image.")] = 60,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Save what a device decides on just now, and show what it found. The audit trail says who looked."""
    request = InquiryRequest(kind=InquiryKind.PICTURE, component=component, ttl_seconds=wait)
    with session(url, root, json) as (client, out), _asking(client, out, name, request) as parts:
        for part in parts:
            if part.picture is not None:
                _save(save, part.picture.jpeg)
                out.show(msgspec.structs.replace(part.picture, jpeg=b""), _seen)


def _save(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=path, why=error.strerror or error) from error


def _seen(picture: LivePicture) -> Text:
    found = ", ".join(f"{one.label} {one.confidence:.2f}" for one in picture.detections) or "nothing"
    model = f"{picture.model}:{picture.version}"
    return Text(printable(f"{picture.source} {picture.image}: {found} ({model}, {picture.latency_ms:.1f} ms)"))


def printable(text: str) -> str:
    """Text without control characters: what a device prints must not steer the terminal it is read in."""
    return text.translate(_CONTROL)


@contextlib.contextmanager
def _asking(
    client: Client, out: Output, device: str, request: InquiryRequest
) -> Iterator[Generator[InquiryPart, None, None]]:
    """The parts of the answer. However the block is left, the inquiry has ended afterwards."""
    answer = ask(client, device, request)
    with contextlib.closing(_until_first(answer, out, f"Waiting for {device}")) as parts:
        yield parts


def _until_first(
    answer: Generator[InquiryPart, None, None], out: Output, waiting: str
) -> Generator[InquiryPart, None, None]:
    with contextlib.closing(answer):
        with out.progress.status(waiting) if out.progress.is_terminal and not out.json else contextlib.nullcontext():
            first = next(answer, None)
        if first is not None:
            yield first
            yield from answer


def _line(check: CheckResult) -> Text:
    text = Text()
    text.append("✓ " if check.ok else "✗ ", style=GOOD if check.ok else BAD)
    text.append(f"{printable(check.name):<14}", style="bold")
    text.append(printable(check.sentence))
    if not check.ok and check.next:
        text.append(f"\n{'':<16}Next: {printable(check.next)}", style=DIM)
    return text


def _sum(count: int, wrong: int) -> Text:
    checks = f"{count} check{'s' if count != 1 else ''}"
    if wrong:
        return Text(f"{checks}, {wrong} found something wrong.", style=BAD)
    return Text(f"{checks}, nothing wrong.", style=GOOD)
