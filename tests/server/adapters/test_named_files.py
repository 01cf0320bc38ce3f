"""Files by name: in a folder, in memory and in a bucket alike; and nothing done to them reaches an object."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters.object_rules import CHUNK
from lineside.server.adapters.objects import LocalObjects, ObjectStore
from tests.server.adapters.test_objects import code_of, endpoint, objects

__all__ = ["endpoint", "objects"]  # fixtures

LARGE = 100 * CHUNK


def write(objects: ObjectStore, folder: str, name: str, data: bytes) -> int:
    return objects.files.write(folder, name, iter([data]), digest_of(data), LARGE)


def read(objects: ObjectStore, folder: str, name: str) -> bytes:
    return b"".join(objects.files.stream(folder, name))


def test_files_are_replaced_and_removed_folder_by_folder(objects: ObjectStore) -> None:
    files = objects.files
    assert files.folders() == []
    large = b"abc" * CHUNK
    assert write(objects, "run-1", "a", b"one") == 3
    write(objects, "run-1", "a", large)
    write(objects, "run-1", "b", b"")
    write(objects, "run-10", "a", b"other")
    assert (read(objects, "run-1", "a"), read(objects, "run-1", "b")) == (large, b"")
    assert files.folders() == ["run-1", "run-10"]
    files.delete("run-1", "b")
    files.delete("run-1", "b")
    with pytest.raises(LinesideError) as caught:
        read(objects, "run-1", "b")
    assert code_of(caught) == "request.not_found"
    files.delete_all("run-1")
    files.delete_all("run-1")
    assert files.folders() == ["run-10"]
    assert read(objects, "run-10", "a") == b"other"


def test_what_is_not_as_announced_is_not_kept(objects: ObjectStore) -> None:
    files = objects.files
    for expected, limit, code in (
        (digest_of(b"x"), 100, "blob.digest_mismatch"),
        (digest_of(b"12345"), 4, "blob.too_large"),
    ):
        with pytest.raises(LinesideError) as caught:
            files.write("run-1", "a", iter([b"123", b"45"]), expected, limit)
        assert code_of(caught) == code
    assert files.folders() == []


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "../sha256/ab/abcd", "x" * 64])
def test_no_name_leads_elsewhere(objects: ObjectStore, name: str) -> None:
    digest = objects.put(b"an object")
    files, data = objects.files, b"x"
    for act in (
        lambda: files.write(name, "a", iter([data]), digest_of(data), 10),
        lambda: files.write("run-1", name, iter([data]), digest_of(data), 10),
        lambda: files.delete("run-1", name),
        lambda: files.delete_all(name),
        lambda: files.stream(name, "a"),
    ):
        with pytest.raises(LinesideError) as caught:
            act()
        assert code_of(caught) == "request.invalid"
    assert objects.get(digest) == b"an object"


def test_an_upload_that_a_crash_cut_off_is_removed_at_the_next_start(tmp_path: Path) -> None:
    def cut() -> object:
        yield b"half"
        raise KeyboardInterrupt

    objects = LocalObjects(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        objects.files.write("run-1", "a", cut(), digest_of(b"whole"), 10)  # type: ignore[arg-type]
    (tmp_path / "incoming" / "left").write_bytes(b"half")
    assert LocalObjects(tmp_path).files.folders() == []
    assert list((tmp_path / "incoming").iterdir()) == []
