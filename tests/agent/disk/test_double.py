"""The disk's test double: what was synced is never taken, what was not may be, whoever wrote it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.agent.database import Database
from tests.agent.disk.history import History
from tests.agent.disk.lives import live, outcomes


def _text(root: Path) -> str | None:
    file = root / "file"
    return file.read_text() if file.exists() else None


def test_what_was_synced_survives_every_power_cut(tmp_path: Path) -> None:
    body = """
        (root / "folder").mkdir(); sync(root)
        part = root / "folder" / "part"
        part.write_text("new" * 1000); sync(part)
        part.rename(root / "folder" / "whole"); sync(root / "folder")
    """
    assert outcomes(tmp_path, body, lambda root: (root / "folder" / "whole").read_text()) == {"new" * 1000}


def test_a_file_that_was_not_synced_may_lose_its_bytes_and_its_name(tmp_path: Path) -> None:
    found = outcomes(tmp_path, '(root / "file").write_text("x" * 3000)', _text)
    assert None in found
    assert "x" * 3000 in found
    assert "" in found
    assert any(text and "\0" in str(text) for text in found)


def test_a_replaced_file_is_the_old_or_the_torn_new_one_when_nothing_was_synced(tmp_path: Path) -> None:
    # This is how python-tuf writes its metadata: a temporary file, a rename, no fsync.
    body = """
        with tempfile.NamedTemporaryFile(dir=root, delete=False) as temporary:
            temporary.write(b"new" * 500)
        os.replace(temporary.name, root / "file")
    """
    found = outcomes(tmp_path, body, _text, before="old")
    assert {"old", "new" * 500} <= found
    assert any(text not in ("old", "new" * 500) for text in found)


def test_a_file_that_was_emptied_may_be_what_it_was(tmp_path: Path) -> None:
    found = outcomes(tmp_path, '(root / "file").write_text("new")', _text, before="old")
    assert {"old", "new"} <= found


def test_synced_bytes_survive_what_is_appended_later(tmp_path: Path) -> None:
    body = """
        with (root / "file").open("a") as file:
            file.write("safe"); file.flush(); os.fsync(file.fileno())
            file.write("later"); file.flush()
    """
    found = outcomes(tmp_path, body, _text, before="old ")
    assert all(str(text).startswith("old safe") for text in found)
    assert len(found) > 2


def test_a_removed_name_may_come_back(tmp_path: Path) -> None:
    assert outcomes(tmp_path, 'os.unlink(root / "file")', _text, before="old") == {"old", None}
    assert outcomes(tmp_path / "2", 'os.unlink(root / "file"); sync(root)', _text, before="old") == {None}


def test_a_removed_tree_may_come_back_in_part(tmp_path: Path) -> None:
    body = """
        folder = root / "folder"
        folder.mkdir(); (folder / "a").write_text("a"); (folder / "b").write_text("b")
        sync(folder / "a"); sync(folder / "b"); sync(folder); sync(root)
        shutil.rmtree(folder)
    """
    found = outcomes(tmp_path, body, lambda root: frozenset(path.name for path in root.rglob("*")))
    assert {frozenset(), frozenset({"folder", "a", "b"})} <= found


def test_what_lies_in_a_directory_that_was_never_synced_goes_with_it(tmp_path: Path) -> None:
    body = """
        (root / "folder").mkdir(); (root / "folder" / "a").write_text("a")
        sync(root / "folder" / "a"); sync(root / "folder")
    """
    found = outcomes(tmp_path, body, lambda root: frozenset(path.name for path in root.rglob("*")))
    assert found == {frozenset(), frozenset({"folder", "a"})}


def test_files_of_a_directory_that_was_never_synced_may_be_missing_when_it_was_renamed(tmp_path: Path) -> None:
    body = """
        built = root / "built"
        built.mkdir(); (built / "a").write_text("a"); sync(built / "a")
        built.rename(root / "final"); sync(root)
    """
    found = outcomes(tmp_path, body, lambda root: frozenset(path.name for path in root.rglob("*")))
    assert found == {frozenset({"final"}), frozenset({"final", "a"})}


def test_what_another_program_wrote_is_only_safe_when_it_was_synced(tmp_path: Path) -> None:
    body = """
        import subprocess
        subprocess.run(["sh", "-c", f"echo 0123456789 > {root}/file; echo 9876543210 > {root}/synced"])
        sync(root / "synced")
    """
    found = outcomes(tmp_path, body, lambda root: ((root / "file").read_text(), (root / "synced").read_text()))
    assert {synced for _, synced in found} == {"9876543210\n"}
    assert len({text for text, _ in found}) > 1


def test_openings_below_a_directory_handle_are_seen(tmp_path: Path) -> None:
    body = """
        handle = os.open(root, os.O_RDONLY)
        os.write(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=handle), b"text")
    """
    _, journal = live(tmp_path, body)
    assert [change.paths for change in History(journal).changes] == [(tmp_path / "root" / "file",)]


def test_committed_transactions_survive_and_open_ones_never_appear(tmp_path: Path) -> None:
    body = """
        from lineside.agent.database import Database
        database = Database(root / "agent.db")
        sync(root)
        for number in range(20):
            with database.transaction() as rows:
                rows.execute("INSERT INTO facts VALUES (?, ?)", (str(number), b"x" * 3000))
        database._connection.execute("PRAGMA cache_size = 2")
        database._connection.execute("BEGIN IMMEDIATE")
        for number in range(20, 60):  # spills into the log
            database._connection.execute("INSERT INTO facts VALUES (?, ?)", (str(number), b"x" * 3000))
    """

    def count(root: Path) -> object:
        database = Database(root / "agent.db")
        with database.reading() as rows:
            (sound,) = rows.execute("PRAGMA integrity_check").fetchone()
            (found,) = rows.execute("SELECT count(*) FROM facts WHERE key GLOB '[0-9]*'").fetchone()
        database.close()
        return sound, found

    assert outcomes(tmp_path, body, count) == {("ok", 20)}


def test_the_agents_database_syncs_every_commit(tmp_path: Path) -> None:
    # `sqlite_tail` takes SQLite's index at its word, which is only true with synchronous=FULL.
    database = Database(tmp_path / "agent.db")
    with database.reading() as rows:
        assert rows.execute("PRAGMA synchronous").fetchone() == (2,)
        assert rows.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


@pytest.mark.parametrize("kind", ["create", "sync", "rename", "mkdir"])
def test_a_disk_that_refuses(tmp_path: Path, kind: str) -> None:
    (tmp_path / "faults").write_text(json.dumps({"error": "ENOSPC", "kinds": [kind], "path": "*/b*"}))
    body = """
        try:
            (root / "bfolder").mkdir()
            (root / "a").write_text("a"); (root / "a").rename(root / "b")
            (root / "b2").write_text("b"); sync(root / "b2")
        except OSError as error:
            print(error.errno, file=sys.stderr)
            sys.exit(1)
    """
    live(tmp_path, body, ends_with=1)


def test_a_database_that_refuses_until_there_is_room(tmp_path: Path) -> None:
    body = """
        rows = sqlite3.connect(root / "some.db")
        rows.execute("CREATE TABLE t (x)")
        Path(sys.argv[2]).with_name("faults").write_text('{"sqlite": "database or disk is full", "times": 1}')
        try:
            rows.execute("INSERT INTO t VALUES (1)")
        except sqlite3.OperationalError as error:
            assert error.sqlite_errorcode == sqlite3.SQLITE_FULL
        rows.execute("INSERT INTO t VALUES (2)")
        rows.commit()
        assert rows.execute("SELECT * FROM t").fetchall() == [(2,)]
    """
    live(tmp_path, body)


def test_the_recorder_kills_before_the_operation_it_was_told(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.agent.disk.recorder import Recorder\n"
        "root = Path(sys.argv[1])\nRecorder(root, root.with_name('journal'), die_at=3).install()\n"
        "for name in 'abcd':\n    (root / name).write_text(name)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(root)], check=False).returncode == -9
    assert sorted(os.listdir(root)) == ["a", "b"]
