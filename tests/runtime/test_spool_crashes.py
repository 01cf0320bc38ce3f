"""What power cuts, kills, changed bits and full disks leave of a spool: whole batches, never a wrong result."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.runtime.spool import Entry, InputKey, Spool
from tests.runtime.disks import fill, mounted
from tests.runtime.test_spool import add, payload

BATCH = 6


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder in memory where there is one: these tests open thousands of files."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


class Crashed:
    """A spool of two batches of which the second is still in the write-ahead log alone, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        live = folder / "live.db"
        small = sqlite3.connect(live)
        small.execute("PRAGMA page_size = 512")
        small.execute("VACUUM")
        small.close()
        spool = Spool(live)
        add(spool, BATCH)
        spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        add(spool, BATCH)
        self.file, self.log = live.read_bytes(), Path(f"{live}-wal").read_bytes()
        spool.close()

    def opened(self, log: bytes, file: bytes | None = None) -> Spool:
        path = self.folder / "crashed.db"
        for other in self.folder.glob("crashed.db*"):
            other.unlink()
        path.write_bytes(self.file if file is None else file)
        Path(f"{path}-wal").write_bytes(log)
        return Spool(path)


def check(spool: Spool, batches: set[int]) -> int:
    """Whole batches with their inputs, and the next number; how many results."""
    found = spool.after(0, 1000)
    assert found == [Entry(number, payload(number)) for number in range(1, len(found) + 1)]
    assert len(found) // BATCH in batches
    assert len(found) % BATCH == 0
    assert {key.size for key in spool.inputs()} == set(range(1, len(found) + 1))
    assert spool.next_sequence == len(found) + 1
    assert not spool.recovered
    spool.close()
    return len(found)


def test_cut_at_every_byte_of_the_last_batch_it_is_whole_or_gone(quick: Path) -> None:
    crashed = Crashed(quick)
    assert len(crashed.log) > 1000
    for kept in range(len(crashed.log)):  # the last byte of all makes it whole
        assert check(crashed.opened(crashed.log[:kept]), {1}) == BATCH
    assert check(crashed.opened(crashed.log), {2}) == 2 * BATCH


def test_a_changed_bit_in_the_last_batch_of_the_log_loses_it_as_a_whole(quick: Path) -> None:
    crashed, source = Crashed(quick), random.Random(7)
    for at in range(0, len(crashed.log), 5):
        log = bytearray(crashed.log)
        log[at] ^= 1 << source.randrange(8)
        check(crashed.opened(bytes(log)), {1, 2})


def test_a_changed_bit_anywhere_in_the_file_never_gives_a_wrong_result(quick: Path) -> None:
    """Either SQLite sees it and the file is moved aside, or the results it hit are left out and counted."""
    path, source = quick / "live.db", random.Random(3)
    spool = Spool(path)
    spool.follow(["a"])
    entries = [Entry(number, b"%06d" % number * 40) for number in range(1, 101)]
    spool.append(entries[:60])
    spool.append(entries[60:])
    spool.close()
    whole, left_out, aside = path.read_bytes(), 0, 0
    for _ in range(400):
        at = source.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << source.randrange(8)]) + whole[at + 1 :])
        try:
            hit = Spool(path)
        except sqlite3.OperationalError:  # a word of the header that SQLite takes for a newer format: nothing is read
            continue
        found = hit.after(0, 1000)
        assert set(found) <= set(entries)
        assert found == sorted(found)
        assert hit.recovered or len(found) + hit.damaged == 100
        assert hit.next_sequence > 100
        left_out, aside = left_out + hit.damaged, aside + hit.recovered
        hit.close()
        for other in quick.glob("live.db*"):
            if other.name != "live.db.numbers":
                other.unlink()
    assert left_out > 50
    assert aside > 0


WRITER = """
import sys
from pathlib import Path
from lineside.runtime.spool import Entry, InputKey, Spool
from tests.runtime.test_spool import add
spool = Spool(Path(sys.argv[1]))
while True:
    sys.stdout.write(f"{add(spool, 50)[-1].sequence}\\n")
    sys.stdout.flush()
"""


def test_kill_9_in_the_middle_of_appending_keeps_all_that_was_acknowledged(tmp_path: Path) -> None:
    path, source = tmp_path / "spool.db", random.Random(5)
    acknowledged = 0
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(source.randrange(1, 40)):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            said = writer.stdout.read().split()
            acknowledged = int(said[-1]) if said else acknowledged
        spool = Spool(path)
        found = spool.after(0, 100_000)
        assert len(found) >= acknowledged
        assert len(found) % 50 == 0
        assert found == [Entry(number, payload(number)) for number in range(1, len(found) + 1)]
        assert {key.size for key in spool.inputs()} == set(range(1, len(found) + 1))
        assert spool.next_sequence == len(found) + 1
        spool.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk") as place:
        yield place


@pytest.mark.parametrize("restart", [False, True])
def test_a_full_disk_refuses_a_batch_as_a_whole_and_recovers_when_results_go(small_disk: Path, restart: bool) -> None:
    spool = Spool(small_disk / "spool.db")
    spool.follow(["a"])
    stored = 0
    try:
        while stored < 10_000:
            stored = append(spool, 20)
    except sqlite3.OperationalError as error:
        assert error.sqlite_errorcode == sqlite3.SQLITE_FULL  # noqa: PT017
    assert 0 < stored < 10_000
    before = spool.next_sequence
    with pytest.raises((sqlite3.OperationalError, OSError)):
        append(spool, 2000)
    assert spool.next_sequence == before == stored + 1
    assert [entry.sequence for entry in spool.after(0, 10_000)] == list(range(1, before))
    if restart:
        spool.close()
        fill(small_disk / "filler")
        spool = Spool(small_disk / "spool.db")
    spool.advance("a", stored)
    spool.tidy()
    assert len(spool) == 0
    assert append(spool, 20) == stored + 20
    assert {key.size for key in spool.inputs()} == set(range(1, stored + 21))
    spool.close()


def append(spool: Spool, count: int) -> int:
    """Results of a kilobyte; the last number."""
    first = spool.next_sequence
    numbers = range(first, first + count)
    spool.append(
        [Entry(number, bytes(1000)) for number in numbers], [InputKey(str(number), number, 0) for number in numbers]
    )
    return numbers[-1]
