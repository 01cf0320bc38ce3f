"""`lineside audit`: who decided what, and proof that nobody changed it since."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import RenderableType
from rich.text import Text

from lineside.cli.options import Json, Limit, Root, Url
from lineside.cli.output import Output, session
from lineside.cli.table import details, mark, rows, short, spaced, when
from lineside.client.saving import saved
from lineside.contract.audit import AuditEntry, AuditPage, AuditVerdict, Chain, entry_hash
from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

app = typer.Typer(name="audit", help="Audit: who decided what, chained by hashes.", no_args_is_help=True)

_LONGEST_LINE = 1 << 20
_decoder = msgspec.json.Decoder(AuditEntry)


@app.command("list")
def list_(
    actor: Annotated[str | None, typer.Option("--actor", help="Only what this person or device decided.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only this action, or all on a noun.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Only what is about this.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only since this UTC day or time: 2026-11-21.")] = None,
    before: Annotated[int | None, typer.Option("--before", min=0, help="Only rows numbered below this.")] = None,
    limit: Limit = 50,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List decisions, newest first."""
    with session(url, root, json) as (client, out):
        page = client.audit(actor=actor, action=action, subject=subject, since=since, before=before, limit=limit)
        out.show(page, _table)


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option("--file", help="Check an export instead; this asks no control plane.")
    ] = None,
    since: Annotated[
        int, typer.Option("--since", min=0, help="With --file: the row after which the export begins.")
    ] = 0,
    kept: Annotated[
        Path | None, typer.Option("--kept", help="Also look for the last row of this export, which was kept elsewhere.")
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Find any row that was edited, removed, inserted or moved; exit status 1 when there is one."""
    if file is not None:
        out = Output(json)
        with out.explaining():
            verdict = _checked(file, since)
            out.show(verdict, _judgement)
    else:
        with session(url, root, json) as (client, out):
            verdict = client.verify_audit(_last_of(kept) if kept else None)
            out.show(verdict, _judgement)
    if not verdict.good:
        raise typer.Exit(1)


@app.command()
def export(
    since: Annotated[int, typer.Option("--since", min=0, help="Only rows numbered above this.")] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Into this file; else standard output.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write rows as JSON lines, oldest first. Their last row says that they were exported, and by whom."""
    with session(url, root, json) as (client, out):
        pieces = client.export_audit(since=since)
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        count, newest = _written(pieces, output)
        out.say(f"{counted(count, 'row')}, the last numbered {newest}, {'is' if count == 1 else 'are'} in {output}.")
        if json:
            out.line({"file": str(output), "rows": count, "newest": newest})


def _written(pieces: Iterable[bytes], target: Path) -> tuple[int, int]:
    """Renamed in when all of it is on the disk; how many rows, and the last one's number."""
    count, last = 0, b""

    def counted() -> Iterator[bytes]:
        nonlocal count, last
        for piece in pieces:
            count += piece.count(b"\n")
            last = (last + piece)[-_LONGEST_LINE:]
            yield piece

    saved(counted(), target)
    lines = last.splitlines()
    return count, _decoder.decode(lines[-1]).number if lines else 0


def _checked(file: Path, since: int) -> AuditVerdict:
    """An export, followed line by line. Raises `audit.no_export` when nothing in it is a row."""
    chain = Chain()
    for entry in _entries(file):
        if chain.entries == 0 and since and isinstance(entry, AuditEntry) and entry.number == since + 1:
            chain.trust(entry)
        if entry is None:
            chain.unreadable(chain.newest + 1)
        else:
            chain.follow(entry)
    return chain.verdict()


def _last_of(file: Path) -> tuple[int, str]:
    """The number and hash of an export's last row. Raises `audit.no_export`."""
    last: AuditEntry | None = None
    for last in _entries(file):  # noqa: B007 the last one is what is wanted
        pass
    if last is None or entry_hash(last) != last.hash:
        raise LinesideError("audit.no_export", file=file, why="its last row is no row, or was edited")
    return last.number, last.hash


def _entries(file: Path) -> Iterator[AuditEntry | None]:
    """The rows of an export; None in place of a line that is none. Raises `audit.no_export`."""
    try:
        with file.open("rb") as stream:
            empty = True
            while line := stream.readline(_LONGEST_LINE):
                entry = _entry(line)
                if empty and entry is None:
                    raise LinesideError("audit.no_export", file=file, why="its first line is no row")
                empty = False
                yield entry
            if empty:
                raise LinesideError("audit.no_export", file=file, why="it is empty")
    except OSError as error:
        raise LinesideError("audit.no_export", file=file, why=error.strerror or error) from error


def _entry(line: bytes) -> AuditEntry | None:
    try:
        return _decoder.decode(line)
    except UNREADABLE:
        return None


def _table(page: AuditPage) -> RenderableType:
    lines = (
        (one.number, when(one.at), one.actor, one.by, one.source, one.action, one.subject, _digest(one), one.why)
        for one in page.entries
    )
    return rows(("row", "at", "who", "by", "from", "what", "about", "digest", "why"), lines, "No such decision.")


def _digest(entry: AuditEntry) -> str:
    return short(entry.digest) if entry.digest else ""


def _judgement(verdict: AuditVerdict) -> RenderableType:
    facts = details(
        (
            ("trail", mark(verdict.good, "unbroken" if verdict.good else counted(verdict.found, "finding"))),
            ("rows", verdict.entries),
            ("taken on trust", f"row {verdict.trusted} and those before it" if verdict.trusted else None),
            ("last row", verdict.newest),
            ("its hash", verdict.hash),
            ("end", "compared with what was written last" if verdict.ending else "as the file has it"),
        )
    )
    said = [Text(finding.what) for finding in verdict.findings]
    return spaced([facts, *said]) if said else facts
