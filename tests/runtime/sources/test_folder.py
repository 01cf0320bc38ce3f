"""A folder as a source: files come as soon as their writers are done, with and without the system's help."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.frames import SourceState
from lineside.runtime.models.memory import MB, Memory
from lineside.runtime.sources import arrivals
from lineside.runtime.sources import folder as folders
from lineside.runtime.sources.folder import MAX_FILE_BYTES, TRIES, FolderSource
from lineside.runtime.sources.inotify import Watch
from lineside.runtime.spool import InputKey
from tests.eventually import PATIENCE, eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.sources.intake import Remembering

PNG = encoded(squares((8, 8)))
Made = Callable[..., tuple[FolderSource, Remembering]]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    started: list[tuple[FolderSource, Remembering]] = []

    def make(done: tuple[InputKey, ...] = (), **options: object) -> tuple[FolderSource, Remembering]:
        intake = options.pop("intake", None) or Remembering()
        source = FolderSource("in", tmp_path / "in", done, **options)
        (tmp_path / "in").mkdir(exist_ok=True)
        source.start(intake)
        started.append((source, intake))
        return source, intake

    yield make
    for source, intake in started:
        intake.close()
        source.stop()


def put(folder: Path, name: str, data: bytes = PNG, age: float = 60.0) -> Path:
    """It appears with its time: one that is written where it is seen may be read before its time is set."""
    path = folder / name
    part = path.with_name(f".{path.name}")
    part.write_bytes(data)
    then = part.stat().st_mtime - age
    os.utime(part, (then, then))
    return part.rename(path)


@pytest.mark.parametrize("watched", [True, False])
def test_files_come_once_with_their_bytes_and_their_time(made: Made, tmp_path: Path, watched: bool) -> None:
    source, intake = made(watched=watched, prefix="in/")
    eventually(lambda: source.health().state is SourceState.RUNNING)
    path = put(tmp_path / "in", "a.png")
    eventually(lambda: intake.frames)
    (frame,) = intake.frames
    found = path.stat()
    assert (frame.source, frame.name, frame.data) == ("in", "a.png", PNG)
    assert frame.captured_at == pytest.approx(found.st_mtime)
    assert frame.key == InputKey("in/a.png", found.st_size, found.st_mtime_ns)
    source.finished(frame)
    put(tmp_path / "in", "b.png")
    eventually(lambda: len(intake.frames) == 2)
    assert intake.names == ["a.png", "b.png"]
    assert source.health().frames == 2


def test_the_system_says_what_is_whole_and_not_what_is_being_written(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    try:
        with (tmp_path / "growing").open("wb") as file:
            file.write(b"1")
            file.flush()
            (tmp_path / ".hidden").write_bytes(b"2")
            (tmp_path / ".hidden").rename(tmp_path / "moved")
            assert watch.wait(1).names == [".hidden", "moved"]
        assert watch.wait(1).names == ["growing"]
        watch.wake()
        assert watch.wait(PATIENCE) == ([], False, False)
        (tmp_path / "moved").unlink()
        (tmp_path / "growing").unlink()
        tmp_path.rmdir()
        assert watch.wait(1).gone
    finally:
        watch.close()


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Watch(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Watch(tmp_path / "file")


def test_it_is_away_without_its_folder_and_back_with_it(made: Made, tmp_path: Path) -> None:
    source, intake = made()
    folder = tmp_path / "in"
    eventually(lambda: source.health().state is SourceState.RUNNING)
    folder.rename(tmp_path / "unmounted")
    eventually(lambda: source.health().state is SourceState.AWAY)
    assert source.health().code == "source.folder_missing"
    (tmp_path / "unmounted").rename(folder)
    eventually(lambda: source.health().state is SourceState.RUNNING)
    put(folder, "a.png")
    eventually(lambda: intake.names == ["a.png"])


def test_a_folder_that_cannot_be_read_is_away_and_not_an_empty_one(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.symlink_to("in")  # to itself, which stops root, too
    source, intake = FolderSource("in", folder), Remembering()
    source.start(intake)
    eventually(lambda: source.health().code == "source.folder_unreadable")
    assert source.health().state is SourceState.AWAY
    folder.unlink()
    folder.mkdir()
    put(folder, "a.png")
    eventually(lambda: "a.png" in intake.names)
    source.stop()


def test_a_file_that_cannot_be_read_is_tried_again_and_then_told(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SETTLE", 0.001)
    source, intake = made()
    (tmp_path / "in" / "torn.png").symlink_to("/proc/self/mem")  # a file whose first bytes are an I/O error
    put(tmp_path / "in", "whole.png")
    eventually(lambda: intake.refused)
    ((frame, code),) = intake.refused
    assert (frame.name, code) == ("torn.png", "image.missing")
    assert set(intake.names) == {"whole.png"}
    assert source.health().state is SourceState.RUNNING


def test_what_became_a_pipe_since_the_look_holds_nothing_up(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for age, name in ((90, "first.png"), (80, "second.png"), (70, "third.png")):
        put(folder, name, age=age)
    _, intake = made(intake=Remembering(room=1))
    eventually(lambda: intake.frames)
    (folder / "third.png").unlink()
    os.mkfifo(folder / "third.png")
    intake.let(9)
    put(folder, "fourth.png")
    eventually(lambda: {"second.png", "fourth.png"} <= set(intake.names))
    assert "third.png" not in intake.names


def test_a_full_disk_ends_no_source_that_forgets_files_that_are_gone(tmp_path: Path) -> None:
    full, forgotten = [True], []

    def forget(keys: set[InputKey]) -> None:
        if full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        forgotten.append(set(keys))

    folder = tmp_path / "in"
    folder.mkdir()
    put(folder, "here.png")
    gone = {InputKey(f"{number}.png", 1, number) for number in range(1100)}
    source, intake = FolderSource("in", folder, gone, forget=forget), Remembering()
    source.start(intake)
    eventually(lambda: intake.frames)
    assert source.health().state is SourceState.RUNNING
    source.stop()
    full[0] = False
    source.let_go()
    assert forgotten == [gone]


def test_what_was_there_before_comes_oldest_first_and_what_was_done_not_again(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, age in (("new.png", 10), ("old.png", 90), ("done.png", 95)):
        put(folder, name, age=age)
    done = (folder / "done.png").stat()
    _, intake = made((InputKey("in/done.png", done.st_size, done.st_mtime_ns),), prefix="in/")
    eventually(lambda: len(intake.frames) == 2)
    assert intake.names == ["old.png", "new.png"]


def test_what_is_no_image_or_far_too_large_is_refused_unread(made: Made, tmp_path: Path) -> None:
    _, intake = made()
    put(tmp_path / "in", "notes.txt", b"not an image")
    large = tmp_path / "in" / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    eventually(lambda: len(intake.refused) == 2)
    assert {frame.name: code for frame, code in intake.refused} == {
        "notes.txt": "image.unsupported",
        "large.png": "image.file_too_large",
    }


def test_a_file_for_which_there_is_no_memory_is_not_read(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SETTLE", 0.001)
    monkeypatch.setattr(folders, "memory", lambda: Memory(100 * MB, 40 * MB, "cgroup"))
    _, intake = made()
    for name, size in (("half.png", 30), ("more.png", 31)):
        with (tmp_path / "in" / name).open("wb") as file:
            file.write(PNG)
            file.truncate(size * MB)
    eventually(lambda: intake.refused and intake.frames)
    assert {(frame.name, code) for frame, code in intake.refused} == {("more.png", "image.file_no_memory")}
    assert set(intake.names) == {"half.png"}


def test_a_file_that_may_be_unfinished_comes_again_when_it_is_whole(made: Made, tmp_path: Path) -> None:
    source, intake = made()
    path = tmp_path / "in" / "slow.png"
    path.write_bytes(PNG[:40])
    eventually(lambda: intake.frames)
    damaged = LinesideError("image.unreadable", format="png", why="it ends")
    assert source.comes_again(intake.frames[0], damaged)
    with path.open("ab") as file:
        file.write(PNG[40:])
    eventually(lambda: len(intake.frames) == 2)
    assert intake.frames[1].data == PNG
    old = intake.frames[1]
    os.utime(path, (1, 1))
    old.key = InputKey("slow.png", len(PNG), 10**9)
    assert not source.comes_again(old, damaged)


def test_an_image_for_which_there_is_no_memory_comes_again_a_few_times(made: Made, tmp_path: Path) -> None:
    """While two versions of a model are in memory a large picture may not be decoded: afterwards it may."""
    source, intake = made(watched=False)
    put(tmp_path / "in", "large.png")
    eventually(lambda: intake.frames)
    (frame,) = intake.frames
    lacking = LinesideError("image.no_memory", width=1, height=1, needed=2, free=1)
    for _ in range(TRIES):
        assert source.comes_again(frame, lacking)
    assert not source.comes_again(frame, lacking)
    source.finished(frame)
    assert not source.comes_again(frame, LinesideError("image.too_large", width=1, height=1, limit=1))


def test_a_source_that_breaks_is_an_alarm_and_goes_on(made: Made, tmp_path: Path) -> None:
    source, intake = made()

    def fall(frame: object) -> bool:
        del intake.offer  # the next one is taken
        raise RuntimeError("the disk laughed")

    intake.offer = fall
    put(tmp_path / "in", "a.png")
    eventually(lambda: source.health().state is SourceState.FAILED)
    assert "the disk laughed" in source.health().why
    put(tmp_path / "in", "b.png")
    eventually(lambda: {"a.png", "b.png"} <= set(intake.names))
    assert source.health().state is SourceState.RUNNING
