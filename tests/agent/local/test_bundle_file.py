"""Bundles that somebody made with bad intentions, or that broke on the way: refused with a code, in bounded memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.agent.local.bundle_file import BundleFile
from lineside.contract.bundle import MAX_DOCUMENT_BYTES, BundleArtifact, artifact_path
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from tests.agent.local.bundles import bundle

DATA = b"model" * 1000
FILE = BundleArtifact(name="m.onnx", digest=digest_of(DATA), size=len(DATA))


IDS = [
    "empty",
    "end-only",
    "no-zip",
    "cut-short",
    "second-half",
    "no-document",
    "empty-document",
    "no-artifact",
    "short-artifact",
    "other-name",
    "large-document",
    "lzma",
    "bzip2",
]
NAMING = bundle(artifacts=(FILE,))


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, data in entries.items():
            target.writestr(name, data)
    return buffer.getvalue()


SOUND = archive({"bundle.json": NAMING, artifact_path(FILE.digest): DATA})


def write(tmp_path: Path, data: bytes) -> Path:
    """A file with these bytes."""
    path = tmp_path / "b.zip"
    path.write_bytes(data)
    return path


def refusal(path: Path) -> str:
    """The code with which a bundle is refused."""
    with pytest.raises(LinesideError) as caught:
        everything(path)
    return caught.value.code


def everything(path: Path) -> list[bytes]:
    """Read all that a bundle names."""
    file = BundleFile(path)
    try:
        found, _ = file.document()
        file.check_complete(found)
        read = []
        for one in found.artifacts:
            with file.content(artifact_path(one.digest), 0) as (size, chunks):
                read.append(b"".join(chunks))
                assert len(read[-1]) == size
        return read
    finally:
        file.close()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_sound_bundle_is_read_from_any_offset(tmp_path: Path, method: int) -> None:
    entries = {"bundle.json": bundle(artifacts=(FILE,)), artifact_path(FILE.digest): DATA}
    path = write(tmp_path, archive(entries, method))
    assert everything(path) == [DATA]
    file = BundleFile(path)
    for offset in (0, 1, 4999, 5000):
        with file.content(artifact_path(FILE.digest), offset) as (left, chunks):
            assert left == 5000 - offset
            assert b"".join(chunks) == DATA[offset:]
    with pytest.raises(LinesideError), file.content(artifact_path(FILE.digest), 5001):
        pass
    assert file.small("tuf/timestamp.json") is None
    file.close()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bundle.invalid"),
        (b"PK\x05\x06", "bundle.invalid"),
        (b"no zip at all" * 100, "bundle.invalid"),
        (SOUND[:-30], "bundle.invalid"),
        (SOUND[len(SOUND) // 2 :], "bundle.invalid"),
        (archive({"other": b""}), "bundle.incomplete"),
        (archive({"bundle.json": b"{}"}), "bundle.invalid"),
        (archive({"bundle.json": NAMING}), "bundle.incomplete"),
        (archive({"bundle.json": NAMING, artifact_path(FILE.digest): b"short"}), "bundle.incomplete"),
        (archive({"bundle.json": NAMING, "../" + artifact_path(FILE.digest): DATA}), "bundle.incomplete"),
        (archive({"bundle.json": b" " * (MAX_DOCUMENT_BYTES + 1)}), "bundle.invalid"),
        (archive({"bundle.json": bundle()}, zipfile.ZIP_LZMA), "bundle.invalid"),
        (archive({"bundle.json": bundle()}, zipfile.ZIP_BZIP2), "bundle.invalid"),
    ],
    ids=IDS,
)  # fmt: skip
def test_what_is_broken_or_incomplete_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    assert refusal(write(tmp_path, data)) == code


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.zip") == "local.file_unreadable"


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(archive({"bundle.json": bundle()}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(write(tmp_path, bytes(data))) == "bundle.invalid"


def test_an_entry_that_unpacks_to_more_than_it_says_is_cut_off(tmp_path: Path) -> None:
    """A bomb: the directory says 5000 bytes, the stream goes on for 50 million. It is read no further."""
    data = bytearray(archive({"bundle.json": NAMING, artifact_path(FILE.digest): b"\0" * 50_000_000}))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<L", 5000)
    path = write(tmp_path, bytes(data))
    tracemalloc.start()
    try:
        refused = refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert refused == "bundle.invalid"  # its CRC is that of the whole


def test_a_million_entries_are_refused_before_they_are_read(tmp_path: Path) -> None:
    one = archive({"n": b""}, zipfile.ZIP_STORED)
    head, entry = one[: one.index(b"PK\x01\x02")], one[one.index(b"PK\x01\x02") : one.index(b"PK\x05\x06")]
    directory = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFE, 0xFFFE, len(directory), len(head), 0)
    path = write(tmp_path, head + directory + end)
    tracemalloc.start()
    try:
        assert refusal(path) == "bundle.invalid"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_bundle_is_refused_or_read_rightly(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    broken = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.mktemp("damaged"), bytes(broken))
    try:
        read, code = everything(path), ""
    except LinesideError as error:
        read, code = [], error.code
    assert code in ("", "bundle.invalid", "bundle.incomplete")
    assert all(len(one) == len(DATA) for one in read)
