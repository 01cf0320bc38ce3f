"""Whatever is read, only the documented error comes out: a minute of `python -m benchmarks.fuzz` over all targets.

Each run begins from another seed, which its first line names. A crasher is in the file that its last lines name; put
what it showed into the reader's own tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = (
    *("recipe", "desired", "result", "deployment", "bundle-document", "bundle", "archive", "metadata"),
    *("cbor", "stream-frames", "stream-requests", "ipc-frames", "picture"),
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("target", TARGETS)
def test_only_documented_errors_come_out(target: str, tmp_path: Path) -> None:
    keep = ["--keep", str(tmp_path / "crashers")]
    command = [sys.executable, "-m", "benchmarks.fuzz", "--minutes", str(1 / len(TARGETS)), "--target", target, *keep]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + "".join(one.read_text() for one in (tmp_path / "crashers").glob("*.txt"))
    assert json.loads(done.stdout.splitlines()[-1])["executions"][target] > 0


def test_a_reader_that_fails_is_found_and_its_input_made_small_and_kept(tmp_path: Path) -> None:
    """The hunter itself, on a reader with a mistake."""
    from benchmarks.fuzz.hunt import Score, hunt
    from benchmarks.fuzz.target import Target

    def read(data: bytes) -> None:
        if b"../" in data:
            raise KeyError("a mistake")

    score = Score()
    for number in range(4):
        hunt(Target("wrong", [b'{"a": "name"}'], read), score, number, tmp_path, until=float("inf"), most=300)
    (crasher,) = score.crashes.values()
    assert b"../" in crasher.read_bytes()
    assert "KeyError" in crasher.with_name(f"{crasher.name}.txt").read_text()
