"""What people are told to type exists: commands and options in next steps of errors, on pages and in docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from lineside.cli.app import app
from lineside.contract.error_codes import PROBLEMS
from lineside.contract.error_codes.general import WHERE
from lineside.contract.errors import LinesideError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "src/lineside/server/web/templates").rglob("*.html"))
DOCS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "SECURITY.md"]
TOP = typer.main.get_command(app)
THEIR_OWN = ("up", "agent")  # take settings, and commands of another program
COMMAND = re.compile(r"(?<![\w./-])lineside((?: [a-z][a-z-]+)+)((?: (?!lineside\b)[^ `<;|#\n]+)*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def wrong(text: str) -> Iterator[str]:
    """Commands in a text that there are not, and options that they do not have."""
    for found in COMMAND.finditer(text):
        words, command = found[1].split(), TOP
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        if command is TOP:
            if OPTION.search(found[2]):  # else it is prose about the program, not something to type
                yield found[0]
        elif command.name not in THEIR_OWN:
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            if getattr(command, "commands", None) and words:
                yield found[0]
            yield from (f"{found[0]}: {option}" for option in OPTION.findall(found[2]) if option not in known)


@pytest.mark.parametrize("code", PROBLEMS)
def test_next_steps_of_errors(code: str) -> None:
    assert not list(wrong(PROBLEMS[code].next))
    assert not list(wrong(PROBLEMS[code].listed))


def test_the_reference_shows_words_where_the_next_step_is_known_only_when_it_is_raised() -> None:
    """`{where}` alone tells a reader nothing."""
    for line in (ROOT / "docs/reference/errors.md").read_text().splitlines():
        if not line.startswith("| `"):
            continue
        code, _, sentence, after = (cell.strip() for cell in line.strip("|").split(" | "))
        for cell in (sentence, after):
            assert re.search(r"[a-z]{2}", re.sub(r"\{[a-z_]+\}", "", cell)), f"{code}: {cell}"
        assert not re.match(r"\{(next|hint|where|step|command)\}", after), f"{code}: {after}"


def test_what_there_is_none_of_says_where_to_look() -> None:
    """Whatever the code says there is none of has its next step, which exists."""
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    said = set(re.findall(r'"request\.not_found",\s*what="([^"]+)"', code))
    assert len(said) > 30
    assert said - WHERE.keys() == set()
    for what in WHERE:
        error = LinesideError("request.not_found", what=what, name="x")
        assert (error.next, list(wrong(error.next))) == (WHERE[what], [])
    assert LinesideError("request.not_found", what="unicorn", name="x").next


@pytest.mark.parametrize("path", [*PAGES, *DOCS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_on_pages_and_in_docs(path: Path) -> None:
    assert not list(wrong(path.read_text()))


def test_what_is_wrong_is_found() -> None:
    assert len(list(wrong("See: lineside devices logs NAME --component x"))) == 1
    assert len(list(wrong("See: lineside models kiss NAME"))) == 1
    assert not list(wrong("lineside devices logs NAME other -f, or lineside up --port 1, or lineside is fine"))
