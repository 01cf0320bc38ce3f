"""Conditions hold until they pass; a disk's errors become conditions, and a write that works clears them."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lineside.agent.health.conditions import Conditions
from lineside.agent.health.disk import DiskWatch, disk_problem
from tests.eventually import PATIENCE


def codes(conditions: Conditions) -> list[str]:
    return [one.code for one in conditions.current()]


def test_a_condition_holds_until_it_is_cleared_and_changes_are_told_once() -> None:
    told: list[int] = []
    conditions = Conditions()
    conditions.watch(lambda: told.append(1))
    conditions.set("link.dns", host="plane", why="no answer")
    conditions.set("link.dns", host="plane", why="no answer")
    assert codes(conditions) == ["link.dns"]
    assert len(told) == 1
    conditions.set("link.dns", host="plane", why="refused")
    assert "refused" in conditions.current()[0].message
    conditions.clear("link.refused")
    assert len(told) == 2
    conditions.clear("link.dns")
    assert conditions.current() == ()
    assert len(told) == 3


def test_an_area_is_named_by_its_dot() -> None:
    conditions = Conditions()
    conditions.set("link.dns", host="plane", why="x")
    conditions.set("link.refused", url="plane")
    conditions.set("device.disk_full", root="/", why="x")
    assert conditions.holds("link.")
    conditions.clear("link.")
    assert codes(conditions) == ["device.disk_full"]
    assert not conditions.holds("link.")


def test_a_code_that_is_not_in_the_table_cannot_be_set() -> None:
    with pytest.raises(KeyError):
        Conditions().set("device.sad")


def test_threads_set_and_clear_at_once() -> None:
    conditions = Conditions()

    def work(code: str) -> None:
        for _ in range(500):
            conditions.set(code, root="/", why="x")
            conditions.clear(code)

    threads = [threading.Thread(target=work, args=(code,)) for code in ("device.disk_full", "device.disk_error")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conditions.current() == ()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "device.disk_full"),
        (errno.EDQUOT, "device.disk_full"),
        (errno.EROFS, "device.disk_read_only"),
        (errno.EIO, "device.disk_error"),
        (errno.ENOENT, None),
    ],
)
def test_errors_of_files_have_a_condition(number: int, code: str | None) -> None:
    problem = disk_problem(OSError(number, os.strerror(number)), Path("/data"))
    assert (problem.code if problem else None) == code


def test_a_full_database_is_a_full_disk(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    connection.execute("CREATE TABLE t (x BLOB)")
    connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    problem = disk_problem(caught.value, tmp_path)
    assert problem is not None
    assert problem.code == "device.disk_full"


def test_a_database_on_a_read_only_disk_is_that_condition(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    readonly = sqlite3.connect(f"file:{tmp_path / 'a.db'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        readonly.execute("INSERT INTO t VALUES (1)")
    readonly.close()
    problem = disk_problem(caught.value, tmp_path)
    assert problem is not None
    assert problem.code == "device.disk_read_only"


def test_a_write_that_works_ends_the_condition(tmp_path: Path) -> None:
    conditions = Conditions()
    watch = DiskWatch(tmp_path, conditions)
    assert watch.met(OSError(errno.EIO, "bad sector"))
    assert codes(conditions) == ["device.disk_error"]
    assert watch.met(OSError(errno.ENOSPC, "full"))
    assert codes(conditions) == ["device.disk_full"]
    watch.look()
    assert conditions.current() == ()
    assert list(tmp_path.iterdir()) == []
    assert not watch.met(ValueError("not the disk's"))


_FULL = """
import sys
from pathlib import Path
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.disk import DiskWatch
root, conditions = Path(sys.argv[1]), Conditions()
watch = DiskWatch(root, conditions)
watch.met(OSError(28, "full"))
watch.look()
print([one.code for one in conditions.current()])
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_while_writes_fail_the_condition_stays(tmp_path: Path) -> None:
    (tmp_path / ".written").symlink_to("/dev/full")  # every write to it is ENOSPC
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.strip() == "['device.disk_full']"
