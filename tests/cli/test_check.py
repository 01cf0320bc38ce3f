"""`lineside components check`: lines, codes, next steps, exit status."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineside.cli.main import main

BAD = """\
RecipeFormatVersion: 2020-01-25
ComponentName: com.example.Hello
ComponentVersion: 1.0
Manifests:
  - Platform: {os: linux}
    Lifecycle:
      Instal: pip install x
"""
GOOD = BAD.replace("1.0\n", "1.0.0\n").replace("Instal:", "Install:")


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return str(path)


def test_each_finding_quotes_its_line_and_says_what_next(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, BAD)
    assert main(["components", "check", path]) == 1
    assert capfd.readouterr().out.splitlines() == [
        f"{path}:3:19  error  recipe.version",
        "  3 │ ComponentVersion: 1.0",
        "    │                   ^",
        "  1.0 is not a version or a version requirement.",
        "  Next: Write versions as 1.2.3 and requirements as >=1.2.3, ^1.2.3 or ~1.2.3.",
        "",
        f"{path}:7:7  warning  recipe.unknown_key",
        "  7 │       Instal: pip install x",
        "    │       ^",
        "  Instal is not a key of a lifecycle; nothing reads it.",
        "  Next: Did you mean Install?",
        "",
        f"{path}: 1 error and 1 warning.",
    ]


def test_warnings_are_no_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD.replace("Install:", "Instal:"))
    assert main(["components", "check", path]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == f"{path}: 1 warning."


def test_a_good_recipe(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD)
    assert main(["components", "check", path]) == 0
    assert capfd.readouterr().out == f"{path}: nothing is wrong with it.\n"


def test_as_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, BAD)
    assert main(["components", "check", path, "--json"]) == 1
    said = msgspec.json.decode(capfd.readouterr().out)
    assert (said["file"], said["errors"], said["warnings"]) == (path, 1, 1)
    assert said["findings"][0] == {
        "line": 3,
        "column": 19,
        "severity": "error",
        "code": "recipe.version",
        "sentence": "1.0 is not a version or a version requirement.",
        "next": "Write versions as 1.2.3 and requirements as >=1.2.3, ^1.2.3 or ~1.2.3.",
    }


def test_long_lines_and_signs_a_terminal_would_obey(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, '{"a": "\\u001b' + "x" * 500 + '", "b": \x1b[31mx}')
    assert main(["components", "check", path]) == 1
    out = capfd.readouterr().out
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines() if "│" in line) < 110


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "check", str(tmp_path / "no.yaml")]) == 2
    assert "does not exist" in capfd.readouterr().err
