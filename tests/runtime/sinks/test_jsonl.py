"""Lines of JSON: whole lines only, whatever was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.runtime.sinks.jsonl import JsonlSink
from lineside.runtime.spool import Entry


def test_lines_are_appended_and_settled(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "work" / "results.jsonl")
    assert sink.room() > 0
    sink.send([Entry(1, b'{"a":1}'), Entry(2, b'{"a":2}')])
    assert sink.settled() == [1, 2]
    assert sink.settled() == []
    sink.close(0)
    assert (tmp_path / "work" / "results.jsonl").read_text() == '{"a":1}\n{"a":2}\n'


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
    older = path.with_name("results.jsonl.1").read_text().split()
    assert [int(line) for line in older + path.read_text().split()] == list(range(int(older[0]), 20))
    assert path.stat().st_size <= 71
