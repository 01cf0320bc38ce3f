"""What components print: all of it when they are reasonable, bounded on disk when they are not."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from lineside.agent.supervision.logs.files import KEEP, LIMIT, Log, rotate
from tests.agent.supervision.stage import SLEEPER, Stage

PIECE = 64 << 10


def files(path: Path) -> list[Path]:
    return [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, KEEP + 2))]


def contents(path: Path) -> list[bytes]:
    """What is in them; one may be renamed while it is looked at."""
    found = []
    for one in files(path):
        with contextlib.suppress(FileNotFoundError):
            found.append(one.read_bytes())
    return found


def test_everything_is_in_the_log_when_a_component_has_ended(stage: Stage) -> None:
    service = stage.start(run="i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo oops >&2")
    stage.wait(lambda: service.ready_since and not stage.processes("app"))
    stage.supervisor.stop("app")
    assert stage.log().splitlines() == [f"line {number}" for number in range(2000)] + ["oops"]


def test_a_flood_is_bounded_on_disk_at_any_moment_and_is_told(stage: Stage) -> None:
    path = stage.root / "logs" / "app.log"
    stage.ready(run="exec yes 0123456789abcdef0123456789abcdef")
    sizes = []

    def told() -> bool:
        found = contents(path)
        sizes.append(sum(map(len, found)))
        return any(b"printed too fast" in one for one in found)

    stage.wait(told)
    assert max(sizes) <= (KEEP + 1) * (LIMIT + PIECE)
    assert not files(path)[-1].exists()


def write(log: Log, data: bytes) -> None:
    os.write(log.writing, data)
    log.drain()


def test_rotation_keeps_three_and_the_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    log = Log(path, 1000)
    for number in range(100):
        write(log, b"%099d\n" % number)
    log.close()
    kept = [one for one in files(path) if one.exists()]
    assert len(kept) == KEEP + 1
    assert all(one.stat().st_size <= 1000 for one in kept)
    lines = b"".join(one.read_bytes() for one in reversed(kept)).split()
    assert [int(line) for line in lines] == list(range(100 - len(lines), 100))


def test_more_than_its_rate_is_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    log = Log(path, burst=1000, rate=0)
    for _ in range(20):
        write(log, b"x" * 100)
    log.close()
    assert path.read_bytes() == b"x" * 1000 + b"\n[lineside: 1000 bytes were printed too fast and are not kept]\n"


def test_a_log_that_was_removed_or_rotated_by_somebody_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "app.log"
    log = Log(path)
    write(log, b"one\n")
    path.unlink()
    write(log, b"two\n")
    assert path.read_bytes() == b"two\n"
    rotate(path)
    write(log, b"three\n")
    assert path.read_bytes() == b"three\n"
    log.close()


def test_a_full_disk_loses_lines_and_blocks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app.log"
    path.mkdir()  # nothing can be written there
    log = Log(path)
    for _ in range(100):
        write(log, b"x" * 10_000)  # far more than the pipe holds
    path.rmdir()
    write(log, b"again\n")
    log.close()
    assert path.read_bytes() == b"again\n"


def test_two_writers_of_one_log_do_not_lose_lines(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    one, two = Log(path, 500), Log(path, 500)
    for number in range(10):
        write(one, b"one %d\n" % number)
        write(two, b"two %d\n" % number)
    one.close()
    two.close()
    lines = sorted(b"".join(file.read_bytes() for file in files(path) if file.exists()).splitlines())
    assert lines == sorted([b"one %d" % n for n in range(10)] + [b"two %d" % n for n in range(10)])


def test_a_log_is_not_for_everybody(stage: Stage) -> None:
    stage.ready(run=f"echo secret; {SLEEPER}")
    stage.wait(lambda: stage.log())
    assert (stage.root / "logs" / "app.log").stat().st_mode & 0o007 == 0


def test_one_log_that_cannot_go_on_does_not_silence_the_others(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Log(tmp_path / "bad.log")
    monkeypatch.setattr(bad, "_take", lambda data: 1 / 0)
    os.write(bad.writing, b"x")
    stage.ready(run=f"echo heard; {SLEEPER}")
    stage.wait(lambda: stage.log() == "heard\n")
    monkeypatch.undo()
    bad.close()
