"""The spool: numbers grow by one and are never used twice; a result stays until every sink has it; what is dropped or
damaged is counted."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineside.runtime.spool import Entry, InputKey, Spool
from lineside.runtime.spool_frames import ROW_BYTES, pack, portions, unpack


def payload(sequence: int) -> bytes:
    return b'{"sequence":%d,"fill":"%s"}' % (sequence, bytes([97 + sequence % 26]) * (sequence % 50))


def add(spool: Spool, count: int = 1) -> list[Entry]:
    first = spool.next_sequence
    entries = [Entry(number, payload(number)) for number in range(first, first + count)]
    spool.append(entries, [InputKey(f"{number}.jpg", number, number) for number in range(first, first + count)])
    return entries


def numbers(spool: Spool) -> list[int]:
    return [entry.sequence for entry in spool.after(0, 10_000)]


def test_results_come_back_in_order_until_every_sink_has_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.follow(["mqtt", "jsonl"])
    entries = add(spool, 3) + add(spool, 2)
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert spool.after(2, 2) == entries[2:4]
    spool.advance("mqtt", 5)
    spool.tidy()
    assert (numbers(spool), len(spool)) == ([1, 2, 3, 4, 5], 5)
    spool.advance("jsonl", 4)
    spool.tidy()
    assert (numbers(spool), len(spool)) == ([4, 5], 1)  # a batch goes as a whole
    spool.advance("jsonl", 5)
    spool.tidy()
    assert (numbers(spool), len(spool)) == ([], 0)
    spool.close()


def test_cursors_are_remembered_and_never_go_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.follow(["a", "b"])
    add(spool, 5)
    spool.advance("a", 4)
    spool.advance("a", 2)
    add(spool)  # takes the cursors along
    spool.close()
    again = Spool(tmp_path / "spool.db")
    again.follow(["a", "b", "c"])
    assert [again.cursor(name) for name in "abc"] == [4, 0, 0]
    again.close()


def test_a_sink_that_was_a_part_of_another_begins_where_that_stands(tmp_path: Path) -> None:
    """Nobody is told again what the other had told, and nobody misses what still waited."""
    spool = Spool(tmp_path / "spool.db")
    spool.follow(["mqtt", "jsonl"])
    add(spool, 5)
    spool.advance("mqtt", 3)
    spool.follow(["mqtt", "mqtt-topics", "jsonl"], {"mqtt-topics": "mqtt"})
    assert [spool.cursor(name) for name in ("mqtt", "mqtt-topics", "jsonl")] == [3, 3, 0]
    spool.advance("mqtt", 5)
    spool.follow(["mqtt", "mqtt-topics", "jsonl"], {"mqtt-topics": "mqtt"})
    assert spool.cursor("mqtt-topics") == 3  # it has a place of its own from then on
    spool.close()


def test_a_sink_that_is_no_longer_configured_holds_nothing_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.follow(["gone", "kept"])
    add(spool, 3)
    spool.advance("kept", 3)
    spool.follow(["kept"])
    add(spool)
    assert numbers(spool) == [4]
    spool.close()


def test_numbers_go_on_after_everything_was_delivered_and_reopened(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.follow(["a"])
    add(spool, 7)
    spool.advance("a", 7)
    spool.close()
    again = Spool(tmp_path / "spool.db")
    assert numbers(again) == []
    assert again.next_sequence == 8
    assert len(again.inputs()) == 7
    again.close()


def test_a_gap_or_a_used_number_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    add(spool, 3)
    for wrong in (2, 3, 5):
        with pytest.raises(ValueError, match="do not go on from 4"):
            spool.append([Entry(wrong, b"x")])
    assert spool.next_sequence == 4
    spool.close()


def test_over_its_bound_the_oldest_go_and_what_a_sink_lost_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", max_bytes=1160)
    spool.follow(["a", "b"])
    for number in range(1, 51):
        spool.append([Entry(spool.next_sequence, bytes(100))])
        spool.advance("a", number)
    assert numbers(spool) == list(range(41, 51))
    assert spool.dropped == 40
    spool.close()


def test_a_batch_is_kept_in_rows_of_a_bounded_size() -> None:
    large = [Entry(number, bytes(ROW_BYTES // 3)) for number in range(1, 8)]
    alone = [Entry(8, bytes(2 * ROW_BYTES)), Entry(9, b"x")]
    assert [[e.sequence for e in part] for part in portions(large + alone)] == [[1, 2], [3, 4], [5, 6], [7], [8], [9]]
    assert list(portions([])) == []


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_inputs_of_batches_of_any_size_are_remembered_once(tmp_path: Path, count: int) -> None:
    spool = Spool(tmp_path / "spool.db")
    keys = [InputKey(f"{number}.jpg", number, -number) for number in range(count)]
    spool.append([], keys)
    spool.append([], keys[::-1] + keys[:70])
    spool.close()
    reopened = Spool(tmp_path / "spool.db")
    assert reopened.inputs() == set(keys)
    reopened.close()


def test_forgotten_inputs_are_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    add(spool, 3)
    spool.forget_inputs([InputKey("2.jpg", 2, 2)])
    assert spool.inputs() == {InputKey("1.jpg", 1, 1), InputKey("3.jpg", 3, 3)}
    spool.close()


EARLIER = """
CREATE TABLE results (sequence INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL);
CREATE TABLE inputs (name TEXT, size INTEGER, mtime_ns INTEGER, PRIMARY KEY (name, size, mtime_ns)) WITHOUT ROWID;
"""


def test_a_spool_of_the_earlier_format_is_taken_over_and_may_go_back(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    db = sqlite3.connect(path)
    db.executescript(EARLIER)
    held = [number for number in range(1, 2501) if number % 7]
    db.executemany("INSERT INTO results VALUES (?, ?)", [(number, payload(number)) for number in range(1, 2501)])
    db.executemany("DELETE FROM results WHERE sequence = ?", [(n,) for n in range(1, 2501) if n % 7 == 0])
    db.execute("INSERT INTO inputs VALUES ('a.jpg', 1, 2)")
    db.commit()
    db.close()
    spool = Spool(path)
    assert spool.after(0, 10_000) == [Entry(number, payload(number)) for number in held]
    assert spool.next_sequence == 2501
    assert spool.inputs() == {InputKey("a.jpg", 1, 2)}
    add(spool, 4)
    spool.close()
    db = sqlite3.connect(path)  # the runtime before goes on in it, where it numbers by this table
    cursor = db.execute("INSERT INTO results (payload) VALUES (?)", (payload(2505),))
    assert cursor.lastrowid == 2505
    db.commit()
    db.close()
    again = Spool(path)
    assert numbers(again) == [*held, *range(2501, 2506)]
    assert again.next_sequence == 2506
    again.close()


@pytest.mark.parametrize("damage", ["garbage", "header", "page"])
@pytest.mark.parametrize("clock", [True, False], ids=["right", "at 1970"])
def test_a_damaged_file_is_moved_aside_and_numbers_jump_ahead(
    tmp_path: Path, damage: str, clock: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a device whose clock starts at 1970 at every boot."""
    if not clock:
        monkeypatch.setattr(time, "time_ns", lambda: 5_000_000_000)
    path = tmp_path / "spool.db"
    spool = Spool(path)
    used = add(spool, 200)[-1].sequence
    spool.close()
    for _ in range(2):
        damaged(path, damage)
        again = Spool(path)
        assert again.recovered
        assert again.next_sequence > (1_600_000_000_000 if clock else used)
        assert (tmp_path / "spool.db.damaged").exists()
        used = add(again, 50)[-1].sequence
        again.close()
    whole = Spool(path)
    assert whole.next_sequence == used + 1
    whole.close()


def damaged(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "garbage":
        data = bytearray(b"not a database, but long enough to be read as one" * 100)
    elif how == "header":
        data[:16] = bytes(16)
    else:
        data[4096:8192] = bytes([255]) * 4096
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["", "a"])
def test_a_mark_with_a_changed_bit_is_not_believed(tmp_path: Path, name: str) -> None:
    """The newest number is then beyond any that was used, and a sink is given everything again."""
    path = tmp_path / "spool.db"
    spool = Spool(path)
    spool.follow(["a"])
    add(spool, 20)
    spool.advance("a", 10)
    spool.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE marks SET value = value + 4 WHERE name = ?", (name,))
    db.execute("UPDATE sqlite_sequence SET seq = 3 WHERE seq = 20")
    db.commit()
    db.close()
    again = Spool(path)
    again.follow(["a"])
    if name:
        assert again.cursor("a") == 0
    else:
        assert again.next_sequence > 21
    assert numbers(again) == list(range(1, 21))
    again.close()


def test_a_locked_file_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    Spool(path).close()
    path.chmod(0o400)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError):
        Spool(path, busy_seconds=0.1)
    assert not (tmp_path / "spool.db.damaged").exists()
    other.close()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8), st.data())
def test_frames_with_a_changed_bit_or_a_cut_are_left_out(payloads: list[bytes], data: st.DataObject) -> None:
    entries = [Entry(number, each) for number, each in enumerate(payloads, start=2**32 - 3)]
    frames = pack(entries)
    assert unpack(frames) == entries
    at = data.draw(st.integers(0, len(frames) * 8 - 1))
    changed = frames[: at // 8] + bytes([frames[at // 8] ^ 1 << at % 8]) + frames[at // 8 + 1 :]
    found = unpack(changed)
    assert len(found) < len(entries)
    assert set(found) <= set(entries)
    assert unpack(frames[: at // 8]) == entries[: len(unpack(frames[: at // 8]))]


class SpoolAgainstAList(RuleBasedStateMachine):
    """Any order of appends, arrivals and reopenings does what a plain list does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.cursors = {"a": 0, "b": 0}
        self.held: list[Entry] = []
        self.used = 0
        self.open()

    def open(self) -> None:
        self.spool = Spool(Path(self.folder.name, "spool.db"))
        self.spool.follow(list(self.cursors))

    @rule(count=st.integers(0, 5))
    def append(self, count: int) -> None:
        entries = add(self.spool, count)
        assert [entry.sequence for entry in entries] == list(range(self.used + 1, self.used + count + 1))
        self.used += count
        self.held += entries

    @rule(name=st.sampled_from(["a", "b"]), step=st.integers(0, 8))
    def arrive(self, name: str, step: int) -> None:
        self.cursors[name] = min(self.used, self.cursors[name] + step)
        self.spool.advance(name, self.cursors[name])

    @rule()
    def tidy(self) -> None:
        self.spool.tidy()

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.open()

    @invariant()
    def same(self) -> None:
        floor = min(self.cursors.values())
        waiting = [entry for entry in self.held if entry.sequence > floor]
        assert self.spool.after(floor, 1000) == waiting
        assert len(self.spool) == len(waiting)
        assert {name: self.spool.cursor(name) for name in self.cursors} == self.cursors

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpoolAgainstAList = SpoolAgainstAList.TestCase
TestSpoolAgainstAList.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
