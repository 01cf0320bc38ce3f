"""The front door: the agent needs no CLI framework, a missing extra is one sentence with the next command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lineside import __version__
from tests.eventually import PATIENCE

_WITHOUT_TYPER = """
import sys
sys.modules["typer"] = sys.modules["rich"] = None
from lineside.cli.main import main
sys.exit(main({arguments!r}))
"""


def _without_typer(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = _WITHOUT_TYPER.format(arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "extra"), [(["devices", "list"], "cli"), ([], "cli"), (["up"], "server"), (["demo", "--yes"], "all")]
)
def test_without_the_extra_a_command_says_how_to_get_it(arguments: list[str], extra: str) -> None:
    done = _without_typer(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"This command needs the extra [{extra}], which is not installed.",
        f"Next: pip install 'lineside[{extra}]'",
    ]


def test_the_version_needs_no_extra() -> None:
    done = _without_typer("--version")
    assert (done.returncode, done.stdout) == (0, f"lineside {__version__}\n")


def test_the_agent_needs_no_extra() -> None:
    done = _without_typer("agent", "--help")
    assert done.returncode == 0, done.stderr
    assert "join" in done.stdout


def test_a_device_tells_what_it_can_carry_without_the_extra() -> None:
    done = _without_typer("runtime", "bench", "--help")
    assert done.returncode == 0, done.stderr
    assert "by resolution and threads" in " ".join(done.stdout.split()) or "carry" in done.stdout


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lineside.cli", "--version"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout == f"lineside {__version__}\n"


def test_starting_up_imports_no_other_room() -> None:
    program = (
        "import sys, lineside.cli.app\n"
        "rooms = ('agent', 'runtime', 'server', 'pipeline')\n"
        "print([m for m in sys.modules if m.startswith(tuple('lineside.' + room for room in rooms))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.strip() == "[]"
