"""A folder as a device meets it: files that grow, change, vanish, and have any name."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from lineside.runtime.sources.arrivals import SETTLE, Arrival, Arrivals
from lineside.runtime.spool import InputKey


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(tmp_path: Path, clock: Clock) -> Arrivals:
    return Arrivals(tmp_path, monotonic=clock)


def put(folder: Path, name: str, data: bytes = b"data", mtime: int = 100) -> Path:
    path = folder / name
    path.write_bytes(data)
    os.utime(path, (mtime, mtime))
    return path


def names(arrivals: list[Arrival]) -> list[str]:
    return [arrival.key.name for arrival in arrivals]


def test_a_file_is_ready_at_the_second_look_that_finds_it_unchanged(source: Arrivals, tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    assert source.look() == []
    (arrival,) = source.look()
    assert source.read(arrival) == b"data"
    source.finish(arrival.key)
    assert source.look() == []


def test_a_growing_file_waits_until_it_stops(source: Arrivals, tmp_path: Path) -> None:
    path = put(tmp_path, "a.jpg", b"1")
    for size in range(2, 6):
        assert source.look() == []
        path.write_bytes(b"1" * size)
    assert source.look() == []
    assert names(source.look()) == ["a.jpg"]


def test_a_file_changed_between_look_and_read_is_not_half_read(source: Arrivals, tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", b"first")
    source.look()
    (arrival,) = source.look()
    put(tmp_path, "a.jpg", b"first and more", mtime=200)
    assert source.read(arrival) is None
    source.look()
    (again,) = source.look()
    assert source.read(again) == b"first and more"


def test_a_file_that_vanished_is_no_trouble(source: Arrivals, tmp_path: Path) -> None:
    path = put(tmp_path, "a.jpg")
    source.look()
    (arrival,) = source.look()
    path.unlink()
    assert source.read(arrival) is None
    assert source.peek(arrival, 4) is None
    assert source.look() == []


def test_oldest_first_then_by_name(source: Arrivals, tmp_path: Path) -> None:
    for name, mtime in (("c", 300), ("b", 100), ("a", 300), ("d.jpg_0", 200)):
        put(tmp_path, name, mtime=mtime)
    source.look()
    assert names(source.look()) == ["b", "d.jpg_0", "a", "c"]


def test_what_was_done_before_a_restart_is_not_taken_again(source: Arrivals, tmp_path: Path, clock: Clock) -> None:
    path = put(tmp_path, "a.jpg")
    done = InputKey("a.jpg", 4, path.stat().st_mtime_ns)
    restarted = Arrivals(tmp_path, [done], monotonic=clock)
    restarted.look()
    assert restarted.look() == []
    put(tmp_path, "a.jpg", b"new content", mtime=500)  # the same name, another picture
    clock.at += 10
    restarted.look()
    assert names(restarted.look()) == ["a.jpg"]


def test_rewriting_in_place_is_seen_although_no_name_changed(source: Arrivals, tmp_path: Path, clock: Clock) -> None:
    put(tmp_path, "a.jpg")
    source.look()
    source.finish(source.look()[0].key)
    source.look()
    put(tmp_path, "a.jpg", b"again", mtime=700)
    clock.at += 10
    source.look()
    assert names(source.look()) == ["a.jpg"]


def test_hidden_files_folders_and_pipes_are_left_alone(source: Arrivals, tmp_path: Path) -> None:
    put(tmp_path, ".a.jpg.tmp")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    source.look()
    assert source.look() == []


def test_a_name_that_is_no_utf8_can_be_stored_and_read(source: Arrivals, tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/part-\xff.jpg", "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"data")
    source.look()
    (arrival,) = source.look()
    assert arrival.key.name == "part-\\xff.jpg"
    assert source.read(arrival) == b"data"


def test_a_missing_folder_is_an_empty_one_until_it_is_there(tmp_path: Path, clock: Clock) -> None:
    source = Arrivals(tmp_path / "later", monotonic=clock)
    assert source.look() == []
    (tmp_path / "later").mkdir()
    put(tmp_path / "later", "a.jpg")
    source.look()
    assert names(source.look()) == ["a.jpg"]


def test_a_postponed_file_comes_again_after_a_while(source: Arrivals, tmp_path: Path, clock: Clock) -> None:
    put(tmp_path, "a.jpg")
    source.look()
    (arrival,) = source.look()
    source.postpone(arrival.key)
    assert source.look() == []
    clock.at += SETTLE
    assert names(source.look()) == ["a.jpg"]
    source.postpone(arrival.key)  # the next time it takes longer
    clock.at += SETTLE
    assert source.look() == []
    clock.at += SETTLE
    assert names(source.look()) == ["a.jpg"]
    assert source.postponed(arrival.key) == 2


def test_only_recent_files_may_be_unfinished(tmp_path: Path) -> None:
    source = Arrivals(tmp_path, now=lambda: 105.0)
    assert source.may_be_unfinished(InputKey("a", 1, int(100.1e9)))
    assert not source.may_be_unfinished(InputKey("a", 1, int(99e9)))


def test_files_that_are_gone_are_forgotten_in_time(tmp_path: Path, clock: Clock) -> None:
    done = [InputKey(f"{i}.jpg", 1, i) for i in range(2000)]
    source = Arrivals(tmp_path, done, monotonic=clock)
    assert source.gone() == set()  # an empty folder may be a disk that is not mounted
    path = put(tmp_path, "present.jpg")
    source.look()
    source.finish(source.look()[0].key)
    assert source.gone() == set(done)
    assert path.exists()
    source.look()
    assert source.look() == []


def test_a_look_at_very_many_files_takes_little_memory(tmp_path: Path, clock: Clock) -> None:
    """What lay in a folder when the runtime came must not be what fills a small device."""
    count = 8_000
    for number in range(count):
        (tmp_path / f"{number:05}.jpg").touch()
    source = Arrivals(tmp_path, monotonic=clock)
    assert source.look() == []
    tracemalloc.start()
    first = source.look()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(first) == 4096
    assert peak / count < 700  # bytes a file
