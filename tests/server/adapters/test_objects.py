"""Objects by digest: the files and the fake keep the same promises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters.objects import CHUNK, LocalObjects, MemoryObjects, ObjectStore

ABSENT = "sha256:" + "0" * 64


@pytest.fixture(params=["files", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return LocalObjects(tmp_path / "objects") if request.param == "files" else MemoryObjects()


def code_of(error: pytest.ExceptionInfo[LinesideError]) -> str:
    return error.value.code


@pytest.mark.parametrize("content", [b"", b"a", b"abc" * CHUNK])
def test_what_goes_in_comes_out(objects: ObjectStore, content: bytes) -> None:
    digest = objects.put(content)
    assert digest == digest_of(content)
    assert objects.put(iter([content[:5], content[5:]]), expected=digest) == digest
    assert objects.get(digest) == content
    assert b"".join(objects.stream(digest)) == content
    assert (objects.exists(digest), objects.size(digest)) == (True, len(content))


def test_parts_of_an_object(objects: ObjectStore) -> None:
    content = os.urandom(2 * CHUNK + 10)
    digest = objects.put(content)
    assert objects.get_range(digest, 5, 10) == content[5:15]
    assert objects.get_range(digest, len(content) - 3, 10) == content[-3:]
    assert objects.get_range(digest, len(content) + 3, 10) == b""
    pieces = list(objects.stream(digest, start=7))
    assert (b"".join(pieces), max(map(len, pieces))) == (content[7:], CHUNK)
    assert b"".join(objects.stream(digest, 7, CHUNK + 1)) == content[7 : CHUNK + 8]


def test_wrong_bytes_are_not_kept(objects: ObjectStore) -> None:
    with pytest.raises(LinesideError) as error:
        objects.put(b"other", expected=ABSENT)
    assert code_of(error) == "blob.digest_mismatch"
    with pytest.raises(LinesideError) as error:
        objects.put(iter([b"123", b"456"]), limit=5)
    assert code_of(error) == "blob.too_large"
    for digest in (ABSENT, digest_of(b"other"), digest_of(b"123456")):
        assert not objects.exists(digest)


def test_a_stream_that_breaks_leaves_nothing(objects: ObjectStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        objects.put(broken())
    assert not objects.exists(digest_of(b"half"))


def test_what_is_not_there(objects: ObjectStore) -> None:
    for ask in (objects.get, objects.size, objects.stream):
        with pytest.raises(LinesideError) as error:
            ask(ABSENT)
        assert code_of(error) == "request.not_found"
    objects.delete(ABSENT)
    digest = objects.put(b"gone soon")
    objects.delete(digest)
    assert not objects.exists(digest)


@pytest.mark.parametrize("name", ["../../etc/passwd", "sha256:ABC", "", "sha256:" + "A" * 64, "md5:" + "a" * 64])
def test_only_digests_are_names(objects: ObjectStore, name: str) -> None:
    for ask in (objects.get, objects.exists, objects.size, objects.delete):
        with pytest.raises(LinesideError) as error:
            ask(name)
        assert code_of(error) == "request.invalid"


def test_where_files_lie_and_that_a_cut_off_upload_is_cleared(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    digest = objects.put(b"abc").removeprefix("sha256:")
    assert (tmp_path / "sha256" / digest[:2] / digest).read_bytes() == b"abc"
    assert list((tmp_path / "incoming").iterdir()) == []
    (tmp_path / "incoming" / "cut-off").write_bytes(b"half")
    assert LocalObjects(tmp_path).exists(f"sha256:{digest}")
    assert list((tmp_path / "incoming").iterdir()) == []
