"""`lineside components check`: what is wrong with a recipe, line by line. Asks no control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from lineside.cli.options import Json
from lineside.cli.output import Output
from lineside.cli.table import BAD, DIM, GOOD
from lineside.contract.recipes.check import check as check_recipe
from lineside.contract.recipes.findings import Finding, Severity

_WIDTH = 100  # columns of a quoted line
_BEFORE = 40  # of them before the mark, when the line is longer

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A recipe, YAML or JSON."),
]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the command."""

    file: str
    errors: int
    warnings: int
    findings: list[Finding]


def check(file: File, json: Json = False) -> None:
    """Check a recipe: what devices would refuse, and what does not do what it seems to. Exit status 1 on errors."""
    out = Output(json)
    with out.explaining():
        data = file.read_bytes()
        findings = check_recipe(data)
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        done = Checked(file=str(file), errors=errors, warnings=len(findings) - errors, findings=findings)
        out.show(done, lambda value: _drawn(value, data.decode("utf-8-sig", errors="replace").split("\n")))
        if errors:
            raise typer.Exit(1)


def _drawn(done: Checked, lines: list[str]) -> RenderableType:
    parts = [part for finding in done.findings for part in (*_finding(done.file, finding, lines), Text())]
    return Group(*parts, _summary(done))


def _summary(done: Checked) -> Text:
    if not done.findings:
        return Text(f"{done.file}: nothing is wrong with it.", style=GOOD)
    counts = [_count(done.errors, "error"), _count(done.warnings, "warning")]
    return Text(f"{done.file}: {' and '.join(count for count in counts if count)}.", style=BAD if done.errors else "")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""


def _finding(file: str, finding: Finding, lines: list[str]) -> list[Text]:
    """Where, the line with a mark below it, what is wrong, and what to do."""
    style = BAD if finding.severity is Severity.ERROR else "yellow"
    where = f"{file}:{finding.line}:{finding.column}"
    head = Text.assemble((where, "bold"), "  ", (finding.severity.value, f"bold {style}"), "  ", (finding.code, DIM))
    line, column = _quoted(lines, finding)
    number = str(finding.line)
    quote = Text.assemble((f"  {number} │ ", DIM), line)
    mark = Text.assemble((f"  {' ' * len(number)} │ ", DIM), " " * column, ("^", style))
    return [head, quote, mark, Text(f"  {finding.sentence}"), Text(f"  Next: {finding.next}", style=DIM)]


def _quoted(lines: list[str], finding: Finding) -> tuple[str, int]:
    """The part of the line around the place, without anything a terminal would obey, and the mark's column in it."""
    line = lines[finding.line - 1] if finding.line <= len(lines) else ""
    shown = "".join(sign if sign.isprintable() else " " for sign in line).rstrip()
    column = min(finding.column - 1, len(shown))
    start = max(0, column - _BEFORE) if len(shown) > _WIDTH else 0
    return shown[start : start + _WIDTH], column - start
