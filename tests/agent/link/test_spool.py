"""The spool keeps what it took, in order, refuses what it has no room for, and survives torn and damaged files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.agent.bus.ports import BrokerMessage
from lineside.agent.link.spool import ROW_BYTES, Spool
from lineside.contract.errors import LinesideError


def message(number: int, size: int = 10) -> BrokerMessage:
    return BrokerMessage(topic="a/b", payload=f"{number:0{size}d}".encode(), qos=1, retain=number % 2 == 0)


def held(spool: Spool) -> list[int]:
    return [int(one.payload) for _, one in spool.after(0, 10_000)]


def test_messages_come_back_in_order_with_all_they_had(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    numbers = [spool.append(message(number)) for number in range(5)]
    assert [one for _, one in spool.after(0, 3)] == [message(0), message(1), message(2)]
    assert [number for number, _ in spool.after(numbers[2], 10)] == numbers[3:]
    spool.remove(numbers[1:3])
    assert held(spool) == [0, 3, 4]
    spool.close()
    again = Spool(tmp_path / "spool.db")
    assert len(again) == 3
    assert again.append(message(9)) > numbers[-1]
    again.close()


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    room = len("a/b") + 100 + ROW_BYTES
    spool = Spool(tmp_path / "spool.db", limit=3 * room)
    first = spool.append(message(1, 100))
    spool.append(message(2, 100))
    spool.append(message(3, 100))
    with pytest.raises(LinesideError) as caught:
        spool.append(message(4, 100))
    assert caught.value.code == "bus.spool_full"
    assert held(spool) == [1, 2, 3]
    spool.remove([first])
    spool.append(message(5, 100))
    assert held(spool) == [2, 3, 5]
    spool.close()
    again = Spool(tmp_path / "spool.db", limit=3 * room)
    with pytest.raises(LinesideError, match=r"bus\.spool_full"):
        again.append(message(6, 100))
    again.close()


def test_a_disk_that_takes_nothing_is_told_to_the_publisher(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    spool = Spool(folder / "spool.db")
    with pytest.raises(LinesideError, match=r"bus\.spool_full"):
        spool.append(message(1))
    assert len(spool) == 0
    folder.mkdir()  # mounted again
    spool.append(message(2))
    assert held(spool) == [2]
    spool.close()


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but longer than a header" * 10])
def test_a_damaged_file_is_put_aside_and_a_new_one_begins(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path)
    spool.append(message(1))
    spool.sync()
    spool.close()
    path.write_bytes(damage)
    again = Spool(path)
    again.append(message(2))
    assert held(again) == [2]
    again.close()
    assert (tmp_path / "spool.db.damaged").exists() == bool(damage)


@settings(max_examples=25)
@given(st.integers(0, 60_000))
def test_a_torn_log_gives_back_a_beginning_of_what_was_taken(
    tmp_path_factory: pytest.TempPathFactory, kept: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder / "spool.db")
    for number in range(10):
        spool.append(message(number))
    copy = folder / "copy"
    copy.mkdir()
    shutil.copy(folder / "spool.db", copy / "spool.db")
    (copy / "spool.db-wal").write_bytes((folder / "spool.db-wal").read_bytes()[:kept])
    spool.close()
    torn = Spool(copy / "spool.db")
    found = held(torn)
    assert found == list(range(len(found)))
    torn.append(message(99))
    assert held(torn) == [*found, 99]
    torn.close()


def test_after_a_sync_nothing_is_lost_with_the_log(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    for number in range(10):
        spool.append(message(number))
    assert spool.unsynced
    spool.sync()
    assert not spool.unsynced
    copy = tmp_path / "copy.db"
    shutil.copy(tmp_path / "spool.db", copy)
    spool.close()
    again = Spool(copy)
    assert held(again) == list(range(10))
    again.close()
