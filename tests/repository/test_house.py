"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 50


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_files_and_functions_stay_small(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES_A_FILE
    long = [f.name for f in functions(path) if (f.end_lineno or 0) - f.lineno + 1 > MOST_LINES_A_FUNCTION]
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_modules_say_what_they_are_for(path):
    if path.read_text().strip():
        assert ast.get_docstring(ast.parse(path.read_text()))


def test_folders_of_tests_are_packages():
    """Else two test files of one name in two folders cannot be collected in one run."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [r for rs in project["optional-dependencies"].values() for r in rs]
    names = {_name(requirement) for requirement in wanted} - {"lineside"}
    pinned = {_name(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert names <= pinned


def _name(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if c in "=<>[;~! "), len(requirement))
    return requirement[:end].lower().replace("_", "-").replace(".", "-")


def test_nothing_of_the_real_data_is_committed():
    names = {path.name for path in (ROOT / "tests").rglob("*") if path.is_file()}
    assert not {name for name in names if "cropped" in name or name == "yolox_nano.onnx"}
