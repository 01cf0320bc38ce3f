"""The spool: numbers grow by one and are never used twice; a torn tail is cut, never misread."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineside.runtime.spool import Entry, InputKey, Spool


def payload(sequence: int) -> bytes:
    return b'{"sequence":%d,"fill":"%s"}' % (sequence, bytes([97 + sequence % 26]) * (sequence % 50))


def add(spool: Spool, count: int = 1) -> list[Entry]:
    first = spool.next_sequence
    entries = [Entry(number, payload(number)) for number in range(first, first + count)]
    spool.append(entries, [InputKey(f"{number}.jpg", number, number) for number in range(first, first + count)])
    return entries


def test_results_come_back_in_order_until_they_are_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    entries = add(spool, 5)
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert spool.after(2, 2) == entries[2:4]
    spool.remove([1, 3, 99])
    assert [entry.sequence for entry in spool.after(0)] == [2, 4, 5]
    assert len(spool) == 3
    spool.close()


def test_numbers_go_on_after_everything_was_delivered_and_reopened(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    add(spool, 7)
    spool.remove(range(1, 8))
    spool.close()
    again = Spool(tmp_path / "spool.db")
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


def test_over_its_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", max_bytes=1000)
    for _ in range(50):
        spool.append([Entry(spool.next_sequence, bytes(100))])
    assert [entry.sequence for entry in spool.after(0)] == list(range(41, 51))
    assert spool.dropped == 40
    spool.close()


def test_forgotten_inputs_are_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    add(spool, 3)
    spool.forget_inputs([InputKey("2.jpg", 2, 2)])
    assert spool.inputs() == {InputKey("1.jpg", 1, 1), InputKey("3.jpg", 3, 3)}
    spool.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 25), st.integers(0, 2**32 - 1), st.booleans())
def test_a_torn_tail_of_the_log_is_cut_never_misread(count: int, seed: int, flip: bool) -> None:
    """What a power cut leaves of the write-ahead log: cut anywhere, or with a bad byte anywhere."""
    source = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        live, torn = Path(folder, "live.db"), Path(folder, "torn.db")
        spool = Spool(live)
        for _ in range(count):
            add(spool)
        log = Path(f"{live}-wal").read_bytes()
        shutil.copy(live, torn)
        spool.close()
        if flip:
            at = source.randrange(len(log))
            log = log[:at] + bytes([log[at] ^ (1 << source.randrange(8))]) + log[at + 1 :]
        else:
            log = log[: source.randrange(len(log))]
        Path(f"{torn}-wal").write_bytes(log)
        recovered = Spool(torn)
        found = recovered.after(0, 1000)
        assert found == [Entry(number, payload(number)) for number in range(1, len(found) + 1)]
        assert {key.size for key in recovered.inputs()} == set(range(1, len(found) + 1))
        if not recovered.recovered:
            assert recovered.next_sequence == len(found) + 1
        recovered.close()


@pytest.mark.parametrize("damage", ["garbage", "header", "page"])
def test_a_damaged_file_is_moved_aside_and_numbers_jump_ahead(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path)
    add(spool, 200)
    spool.close()
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data = bytearray(b"not a database, but long enough to be read as one" * 100)
    elif damage == "header":
        data[:16] = bytes(16)
    else:
        data[4096:8192] = bytes([255]) * 4096
    path.write_bytes(data)
    again = Spool(path)
    assert again.recovered
    assert again.next_sequence > 1_600_000_000_000
    assert (tmp_path / "spool.db.damaged").exists()
    first = add(again)[0].sequence
    again.close()
    assert Spool(path).next_sequence == first + 1


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


class SpoolAgainstAList(RuleBasedStateMachine):
    """Any order of appends, removals and reopenings does what a plain list does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.spool = Spool(Path(self.folder.name, "spool.db"))
        self.held: list[Entry] = []
        self.used = 0

    @rule(count=st.integers(0, 5))
    def append(self, count: int) -> None:
        entries = add(self.spool, count)
        assert [entry.sequence for entry in entries] == list(range(self.used + 1, self.used + count + 1))
        self.used += count
        self.held += entries

    @rule(seed=st.integers(0, 1000))
    def remove(self, seed: int) -> None:
        chosen = {e.sequence for e in random.Random(seed).sample(self.held, len(self.held) // 2)}
        self.spool.remove(chosen)
        self.held = [entry for entry in self.held if entry.sequence not in chosen]

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = Spool(Path(self.folder.name, "spool.db"))

    @invariant()
    def same(self) -> None:
        assert self.spool.after(0, 1000) == self.held

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpoolAgainstAList = SpoolAgainstAList.TestCase
TestSpoolAgainstAList.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
