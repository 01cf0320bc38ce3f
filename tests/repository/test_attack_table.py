"""docs/security.md names tests; each of them exists, and each attack that was to be shown has its row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| attack |")]
ATTACKS = (
    *("rollback", "freeze", "mix-and-match", "fast-forward", "arbitrary software", "wrong role"),
    *("stolen timestamp key", "stolen server", "cloned device", "replayed token", "replayed report"),
    *("path escape in an archive", "path escape in a name", "zip bomb", "oversized metadata"),
    *("SSRF through artifact addresses", "stored XSS", "CSRF", "session fixation", "guessing tokens"),
)


def named(row: str) -> list[tuple[str, str]]:
    """File and test of every test that a row names."""
    found = []
    for file, rest in re.findall(r"\]\(\.\./([\w/.]+\.py)\)((?: *,? *`\w+`)*)", row):
        found += [(file, test) for test in re.findall(r"`(\w+)`", rest)] or [(file, "")]
    return found


def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_named_test_exists(row: str) -> None:
    tests = named(row)
    assert tests, "a row names no test"
    assert [one for one in tests if not one[1].startswith("test_") or one[1] not in defined_in(one[0])] == []
    said = set(re.findall(r"`(test_\w+)`", row))
    assert said == {test for _, test in tests}  # none that no file stands before


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_has_a_row(attack: str) -> None:
    assert [row for row in ROWS if row.split("|")[1].strip().startswith(attack)]
