"""Lines of JSON: whole lines only, whatever was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.sinks.jsonl import JsonlSink
from lineside.runtime.sinks.making import sinks_of
from lineside.runtime.sinks.settings import JsonlSinkSettings, SinkSettings
from lineside.runtime.spool import Entry


def test_lines_are_appended_and_settled(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "work" / "results.jsonl")
    assert sink.room() > 0
    sink.send([Entry(1, b'{"a":1}'), Entry(2, b'{"a":2}')])
    assert sink.settled() == [1, 2]
    assert sink.settled() == []
    sink.close(0)
    assert (tmp_path / "work" / "results.jsonl").read_text() == '{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize("path", [".", "file/results.jsonl", "a\0b"])
def test_a_place_where_no_file_can_be_is_refused_by_its_key(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LinesideError) as caught:
        sinks_of(SinkSettings(jsonl=JsonlSinkSettings(path=path)), None, {}, "cam-1", tmp_path, lambda: None)
    assert caught.value.code == "sink.invalid"
    assert "path is wrong" in caught.value.message


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (b'{"a":1}\n{"a":', b'{"a":1}\n'),
        (b'{"a":', b""),
        (b"", b""),
        (b"x" * 200_000, b""),
        (b"ok\n" + b"x" * 200_000, b"ok\n"),
    ],
)
def test_a_torn_last_line_is_cut(tmp_path: Path, before: bytes, kept: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(before)
    sink = JsonlSink(path)
    sink.send([Entry(2, b"{}")])
    sink.close(0)
    assert path.read_bytes() == kept + b"{}\n"


def test_the_file_is_bounded_by_one_older_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sink = JsonlSink(path, max_bytes=50)
    for number in range(1, 20):
        sink.send([Entry(number, b"%020d" % number)])
    sink.close(0)
    before = older(path).read_text().split()
    assert [int(line) for line in before + path.read_text().split()] == list(range(int(before[0]), 20))
    assert path.stat().st_size <= 71


@pytest.mark.parametrize("there_again", [True, False])
def test_a_file_that_somebody_moves_away_is_begun_anew(tmp_path: Path, there_again: bool) -> None:
    """logrotate does, and makes an empty one in its place; or somebody cleans up. What came before stays with them."""
    path = tmp_path / "results.jsonl"
    sink = JsonlSink(path)
    sink.send([Entry(1, b'{"sequence":1}')])
    path.rename(tmp_path / "archive")
    if there_again:
        path.touch()
    sink.send([Entry(2, b'{"sequence":2}')])
    sink.close(0)
    assert lines(tmp_path / "archive") == [b'{"sequence":1}']
    assert lines(path) == [b'{"sequence":2}']


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


@pytest.mark.parametrize("in_the_way", ["results.jsonl.1", "results.jsonl"])
def test_a_file_that_cannot_be_put_aside_is_tried_again_and_no_result_comes_twice(
    tmp_path: Path, in_the_way: str
) -> None:
    path, obstacle = tmp_path / "results.jsonl", tmp_path / in_the_way
    sink = JsonlSink(path, max_bytes=10)
    sink.send([Entry(1, b'{"sequence":1}')])
    assert sink.settled() == [1]
    if obstacle == path:  # it is put aside, and no other can be opened
        path.replace(older(path))
        sink._file.close()
    obstacle.mkdir()
    for _ in range(2):
        with pytest.raises(OSError, match="Is a directory"):
            sink.send([Entry(2, b'{"sequence":2}')])
        assert sink.settled() == []
    obstacle.rmdir()
    for number in (2, 3):
        sink.send([Entry(number, b'{"sequence":%d}' % number)])
        assert sink.settled() == [number]
    sink.close(0)
    assert lines(older(path)) + lines(path) == [b'{"sequence":2}', b'{"sequence":3}']


@pytest.mark.parametrize("rotated", [False, True])
def test_results_given_again_in_several_batches_are_not_written_twice(tmp_path: Path, rotated: bool) -> None:
    """After a power cut a cursor may lie a full batch and more behind what was written."""
    path = tmp_path / "results.jsonl"
    entries = [Entry(number, b'{"sequence":%d}' % number) for number in range(1, 3001)]
    first = JsonlSink(path, max_bytes=30_000 if rotated else 1 << 20)
    for start in range(0, 2500, 500):
        first.send(entries[start : start + 500])
    first.close(0)
    assert older(path).exists() is rotated
    again = JsonlSink(path)
    for start in range(0, 3000, 500):
        again.send(entries[start : start + 500])
        assert len(again.settled()) == 500
    again.close(0)
    assert (lines(older(path)) if rotated else []) + lines(path) == [entry.payload for entry in entries]


@pytest.mark.parametrize("given_again", [1, 3, 5])
def test_results_given_again_after_a_restart_are_not_written_twice(tmp_path: Path, given_again: int) -> None:
    path = tmp_path / "results.jsonl"
    entries = [Entry(number, b'{"sequence":%d}' % number) for number in range(1, 9)]
    first = JsonlSink(path)
    first.send(entries[:5])
    first.close(0)
    again = JsonlSink(path)
    again.send(entries[5 - given_again :])
    assert again.settled() == [entry.sequence for entry in entries[5 - given_again :]]
    again.close(0)
    assert lines(path) == [entry.payload for entry in entries]


def test_also_when_the_last_line_lies_in_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    entries = [Entry(number, b'{"sequence":%d}' % number) for number in range(1, 9)]
    first = JsonlSink(path)
    first.send(entries[:5])
    first.close(0)
    path.replace(older(path))  # the process ended before it wrote more
    again = JsonlSink(path)
    again.send(entries)
    again.close(0)
    assert lines(path) == [entry.payload for entry in entries[5:]]


def test_other_results_than_those_before_are_all_written(tmp_path: Path) -> None:
    """A spool that was lost begins with other results: none of them is taken for one that is there."""
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"sequence":9}\n')
    sink = JsonlSink(path)
    sink.send([Entry(1, b'{"sequence":1}'), Entry(2, b'{"sequence":2}')])
    sink.send([Entry(9, b'{"sequence":9}')])
    sink.close(0)
    assert lines(path) == [b'{"sequence":9}', b'{"sequence":1}', b'{"sequence":2}', b'{"sequence":9}']


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonlSink(tmp_path / "results.jsonl")
    sink.send([Entry(1, b"{}")])

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            sink.send([Entry(2, b"{}"), Entry(3, b"{}")])
    assert sink.settled() == [1]
    sink.send([Entry(2, b"[]")])
    assert sink.settled() == [2]
    sink.close(0)
    assert lines(tmp_path / "results.jsonl") == [b"{}", b"[]"]
