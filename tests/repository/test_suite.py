"""`make test`: a file with a test that fails beside others has two more tries, alone, and no more than that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SUITE = Path(__file__).resolve().parents[2] / "tools" / "suite.py"
_TESTS = """
import os, pytest
from pathlib import Path

def beside_others():
    return "PYTEST_XDIST_WORKER" in os.environ

def test_good():
    with Path("seen").open("a") as stream:
        stream.write("x")

@pytest.mark.parametrize("word", ["a@b", "c d"])
@pytest.mark.xdist_group("one")
def test_wants_the_machine(word):
    assert not beside_others()

def test_bad():
    Path("tries").mkdir(exist_ok=True)
    Path("tries", str(len(list(Path("tries").iterdir())))).touch()
    assert len(list(Path("tries").iterdir())) > int(Path("bad").read_text())
"""
_OTHERS = """
from pathlib import Path

def test_elsewhere():
    with Path("elsewhere").open("a") as stream:
        stream.write("x")
"""


def _suite(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, _SUITE], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("bad", "runs", "status"), [(1, 2, 0), (2, 3, 0), (3, 3, 1)])
def test_a_file_in_which_one_fails_is_run_again_alone(tmp_path: Path, bad: int, runs: int, status: int) -> None:
    (tmp_path / "test_some.py").write_text(_TESTS)
    (tmp_path / "test_other.py").write_text(_OTHERS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "bad").write_text(str(bad))
    done = _suite(tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert (tmp_path / "seen").read_text() == "x" * runs
    assert (tmp_path / "elsewhere").read_text() == "x"
    again = done.stdout.split("once more, alone:")[1]
    assert again.count("test_some.py::test_wants_the_machine[a@b]") >= 1
    assert again.count("test_some.py::test_wants_the_machine[c d]") >= 1
    assert ("Passed alone, failed beside others:" in again) is (status == 0)
    assert ("Failed alone, too:\n  test_some.py\n" in again) is (status == 1)


def test_files_are_kept_in_memory_where_that_may_be_and_go_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_some.py").write_text(
        "from pathlib import Path\ndef test_where(tmp_path):\n"
        "    Path('where').write_text(f'{tmp_path}\\n' + Path('/proc/mounts').read_text())\n"
    )
    done = _suite(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    where, *mounts = (tmp_path / "where").read_text().splitlines()
    folder = Path(where).parents[2]  # of the test, the worker and the run
    if not any(line.startswith(f"tmpfs {folder} tmpfs ") for line in mounts):
        pytest.skip("mounting a tmpfs is not allowed here, or memory is short")
    assert not folder.exists()
    assert str(folder) not in Path("/proc/mounts").read_text()


def test_files_in_memory_go_with_a_run_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_some.py").write_text(
        "import os, signal\nfrom pathlib import Path\ndef test_where(tmp_path):\n"
        "    Path('where').write_text(str(tmp_path))\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
    )
    assert _suite(tmp_path).returncode == -signal.SIGKILL
    folder, in_memory, _ = (tmp_path / "where").read_text().rpartition("/t/")
    if not in_memory:
        pytest.skip("mounting a tmpfs is not allowed here, or memory is short")
    assert folder not in Path("/proc/mounts").read_text()
    Path(folder).rmdir()  # nothing is left in it


def test_many_failures_have_no_second_try(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_some.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(21))\ndef test_bad(n):\n    assert False\n"
    )
    done = _suite(tmp_path)
    assert done.returncode == 1
    assert "once more" not in done.stdout
