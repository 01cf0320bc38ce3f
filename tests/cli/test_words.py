"""The first words of commands: what the help says of each, and that nothing else is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lineside.cli.app import run
from lineside.cli.words import WORDS, command
from tests.eventually import PATIENCE

_IMPORTED = """
import sys
from lineside.cli.app import run
run(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
"""


def _imports(*arguments: str) -> set[str]:
    program = [sys.executable, "-c", _IMPORTED, *arguments]
    done = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("word", WORDS)
def test_the_help_says_of_a_word_what_its_command_says(word: str) -> None:
    said = " ".join((command(word).help or "").split())
    assert said.startswith(WORDS[word][1])


def test_help_imports_no_command() -> None:
    imported = _imports("--help")
    assert not imported & {"lineside.client", "urllib3", "cryptography", "rich.console", "lineside.cli.devices"}


def test_a_command_imports_no_other_noun_and_nothing_that_signs() -> None:
    imported = _imports("devices", "list", "--help")
    assert "lineside.cli.devices" in imported
    assert not imported & {"lineside.cli.models", "lineside.cli.trust", "tuf", "securesystemslib", "yaml"}


def test_in_a_help_what_looks_stands_before_what_changes_something() -> None:
    for noun in ("devices", "models", "rollouts", "runs"):
        assert list(command(noun).commands)[:2] == ["list", "show"]


def test_a_help_takes_the_width_that_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert run(["devices", "--help"]) == 0
    assert "what it should run beside what it runs, and its facts." in capsys.readouterr().out
