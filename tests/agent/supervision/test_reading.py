"""Logs are read from any line on, over rotation, while they are written; the agent's own is JSON lines."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.agent.supervision.logs.agent_log import BYTES, JsonLines, record
from lineside.agent.supervision.logs.files import Log
from lineside.agent.supervision.logs.reading import LogReader, tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def write(path: Path, numbers: range, limit: int = 100) -> None:
    log = Log(path, limit)
    for number in numbers:
        os.write(log.writing, b"line %d\n" % number)
        log.drain()
    log.close()


def lines(numbers: range) -> str:
    return "".join(f"line {number}\n" for number in numbers)


@pytest.mark.parametrize("count", [0, 1, 5, 20, 35])
def test_the_last_lines_over_rotated_files(path: Path, count: int) -> None:
    write(path, range(100))
    assert tail(path, count) == lines(range(100 - count, 100))


def test_more_lines_than_there_are(path: Path) -> None:
    write(path, range(5))
    assert tail(path, 100) == lines(range(5))
    assert tail(path.with_name("none.log"), 5) == ""


def test_a_last_line_without_an_end_counts_and_is_given(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthree")
    assert tail(path, 2) == "two\nthree"


def test_what_is_not_text_is_replaced(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\n")
    assert tail(path, 1) == "\N{REPLACEMENT CHARACTER}" * 2 + "\n"


def test_a_reader_follows_over_rotation_and_gives_whole_lines(path: Path) -> None:
    write(path, range(3), limit=1000)
    reader = LogReader(path, 1)
    assert reader.read(1000) == b"line 2\n"
    assert reader.read(1000) == b""
    with path.open("ab") as file:
        file.write(b"half")
    assert reader.read(1000) == b""
    with path.open("ab") as file:
        file.write(b" a line\n")
    assert reader.read(1000) == b"half a line\n"
    write(path, range(3, 30), limit=100)
    found = b""
    while more := reader.read(20):
        assert len(more) <= 20
        found += more
    assert found.decode() == lines(range(3, 30))
    reader.close()


def test_a_reader_that_was_overtaken_goes_on_with_the_oldest(path: Path) -> None:
    write(path, range(3))
    reader = LogReader(path, 3)
    write(path, range(3, 200))
    found = b""
    while more := reader.read(1000):
        found += more
    numbers = [int(line.split()[1]) for line in found.splitlines()]
    assert numbers[-1] == 199
    assert numbers == sorted(numbers)
    reader.close()


def test_a_reader_waits_for_a_log_that_is_not_there_yet(path: Path) -> None:
    reader = LogReader(path, 10)
    assert reader.read(1000) == b""
    write(path, range(2))
    assert reader.read(1000).decode() == lines(range(2))
    reader.close()


def test_a_line_longer_than_a_part_comes_in_pieces(path: Path) -> None:
    path.write_bytes(b"x" * 50 + b"\n")
    reader = LogReader(path, 1)
    assert [len(reader.read(20)) for _ in range(4)] == [20, 20, 11, 0]
    reader.close()


@given(
    texts=st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b" ")), max_size=30),
    count=st.integers(0, 35),
)
def test_the_last_lines_are_those_of_the_obvious_way(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], count: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "app.log"
    path.write_bytes(b"".join(text + b"\n" for text in texts))
    wanted = b"".join(text + b"\n" for text in texts[len(texts) - min(count, len(texts)) :])
    assert tail(path, count) == wanted.decode(errors="replace")


# --- the agent's own --------------------------------------------------------------------------------------------------


@pytest.fixture
def logger(tmp_path: Path) -> logging.Logger:
    found = logging.getLogger(f"test.{tmp_path.name}")
    found.propagate = False
    found.setLevel(logging.INFO)
    return found


def test_the_agents_log_is_one_json_object_a_line(path: Path, logger: logging.Logger) -> None:
    logger.addHandler(JsonLines(path))
    logger.warning("%d newlines\n", 1)
    try:
        raise ValueError("odd")
    except ValueError:
        logger.exception("it failed")
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first["level"] == "warning"
    assert first["message"] == "1 newlines\n"
    assert first["at"].endswith("Z")
    assert "ValueError: odd" in second["error"]


def test_the_agents_log_is_rotated(path: Path, logger: logging.Logger) -> None:
    logger.addHandler(JsonLines(path, 1000))
    for number in range(100):
        logger.info("%d", number)
    assert sorted(one.name for one in path.parent.iterdir()) == ["app.log", "app.log.1", "app.log.2", "app.log.3"]
    assert all(one.stat().st_size <= 1000 for one in path.parent.iterdir())
    assert json.loads(tail(path, 1))["message"] == "99"


def test_a_disk_that_refuses_the_agents_log_stops_nothing(path: Path) -> None:
    path.mkdir()
    handler = JsonLines(path)
    for arguments in ((1,), ("not a number",), (1, 2)):
        handler.handle(logging.LogRecord("test", logging.INFO, "", 0, "%d", arguments, None))


def test_the_size_of_the_agents_log_is_configurable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked, wanted in (("5000", 5000), ("0", 1 << 20), ("much", 1 << 20), ("", 1 << 20)):
        monkeypatch.setenv(BYTES, asked)
        handler = record(path)
        logging.getLogger().removeHandler(handler)
        assert handler._limit == wanted
