"""A folder as a source: files come as soon as their writers are done, with and without the system's help."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.frames import SourceState
from lineside.runtime.sources.folder import MAX_FILE_BYTES, MEMORY_TRIES, FolderSource
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
        source, intake = FolderSource("in", tmp_path / "in", done, **options), Remembering()
        (tmp_path / "in").mkdir(exist_ok=True)
        source.start(intake)
        started.append((source, intake))
        return source, intake

    yield make
    for source, intake in started:
        intake.close()
        source.stop()


def put(folder: Path, name: str, data: bytes = PNG, age: float = 60.0) -> Path:
    path = folder / name
    path.write_bytes(data)
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


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
    for _ in range(MEMORY_TRIES):
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
