"""Hostile ZIP files are refused, each with its own code, and leave nothing outside the target."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lineside.agent.updating import archive
from lineside.contract.errors import LinesideError


def entries(path: Path, *items: tuple[zipfile.ZipInfo | str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for info, data in items:
            target.writestr(info, data)


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


def raw_name(path: Path, name: bytes) -> None:
    """An archive whose one entry has a name that zipfile itself would not write."""
    entries(path, ("x" * len(name), b"data"))
    path.write_bytes(path.read_bytes().replace(b"x" * len(name), name))


def lying(path: Path) -> None:
    """The directory promises 3 bytes, the entry holds more."""
    entries(path, ("a", b"y" * 5000))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 3)
    path.write_bytes(bytes(data))


def truncated(path: Path) -> None:
    entries(path, ("a", bytes(range(256)) * 100))
    path.write_bytes(path.read_bytes()[:-40])


def broken_crc(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        target.writestr("a", b"hello world")
    path.write_bytes(path.read_bytes().replace(b"hello", b"hullo"))


CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
LOCAL = struct.Struct("<4s2B4HL2L2H")
END = struct.Struct("<4s4H2LH")


def by_hand(path: Path, body: bytes, directory: bytes, entries_: int, *, at: int | None = None) -> None:
    """An archive from its three parts; the end record says `entries_` and where the directory is."""
    begin = len(body) if at is None else at
    end = END.pack(b"PK\5\6", 0, 0, entries_ & 0xFFFF, entries_ & 0xFFFF, len(directory), begin, 0)
    path.write_bytes(body + directory + end)


def central(name: bytes, offset: int, packed: int, size: int, method: int = 8, crc: int = 0) -> bytes:
    """One entry of a directory."""
    fields = (20, 3, 20, 0, 0, method, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0o644 << 16, offset)
    return CENTRAL.pack(b"PK\1\2", *fields) + name


def local(name: bytes, data: bytes, size: int, method: int = 8, crc: int = 0) -> bytes:
    """One entry's header and data."""
    return LOCAL.pack(b"PK\3\4", 20, 0, 0, method, 0, 0, crc, len(data), size, len(name), 0) + name + data


def crowd(path: Path) -> None:
    """Far too many entries in the directory, though its end says 3."""
    by_hand(path, b"", central(b"f", 0, 0, 0) * 200_000, 3)


def million(path: Path) -> None:
    """A million entries, 47 MB of directory."""
    by_hand(path, b"", central(b"f", 0, 0, 0) * 1_000_000, 1_000_000)


def wordy(path: Path) -> None:
    """Few entries, with 12 MB of names."""
    by_hand(path, b"", central(b"f" * 65535, 0, 0, 0) * 200, 200)


def quoting(path: Path) -> None:
    """Entries that share one kernel of data (a bomb whose parts each look modest)."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeezer.compress(bytes(1 << 20)) + squeezer.flush()
    crc = zlib.crc32(bytes(1 << 20))
    body = local(b"0", data, 1 << 20, crc=crc)
    by_hand(path, body, b"".join(central(b"%d" % at, 0, len(data), 1 << 20, crc=crc) for at in range(20)), 20)


def nested(path: Path) -> None:
    """The second entry lies inside the data of the first."""
    inner = local(b"b", b"x", 1, method=0)
    body = local(b"a", inner, len(inner), method=0)
    directory = central(b"a", 0, len(inner), len(inner), 0) + central(b"b", LOCAL.size + 1, 1, 1, 0)
    by_hand(path, body, directory, 2)


def into_the_directory(path: Path) -> None:
    """An entry whose data is the directory."""
    entries(path, ("a", b"x"))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<2L", data, at + 20, 60, 60)
    path.write_bytes(bytes(data))


def prefixed(path: Path) -> None:
    """Bytes in front: another program may see another archive."""
    entries(path, ("a", b"x"))
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def two_ends(path: Path) -> None:
    """The archive's comment holds the end record of another."""
    entries(path, ("a", b"x"))
    inner = path.read_bytes()
    data = bytearray(inner + inner[-22:])
    struct.pack_into("<H", data, len(inner) - 2, 22)
    path.write_bytes(bytes(data) + b"!")


def huge_zip64(path: Path) -> None:
    """A zip64 end record that promises 2**40 bytes of directory."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    path.write_bytes(record + locator + END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))


def packed_by(method: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as target:
            target.writestr("a", b"x")

    return make


def encrypted(path: Path) -> None:
    entries(path, ("a", b"x"))
    data = bytearray(path.read_bytes())
    for sign, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(sign) + place] |= 1
    path.write_bytes(bytes(data))


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "parent": (lambda path: entries(path, ("../evil", b"x")), "archive.path_escape"),
    "inner parent": (lambda path: entries(path, ("a/../../evil", b"x")), "archive.path_escape"),
    "absolute": (lambda path: entries(path, ("/tmp/evil", b"x")), "archive.path_escape"),
    "drive": (lambda path: entries(path, ("C:/evil", b"x")), "archive.path_escape"),
    "backslash": (lambda path: raw_name(path, b"..\\evil"), "archive.path_escape"),
    "nul": (lambda path: raw_name(path, b"ok\0evil"), "archive.path_escape"),
    "symlink": (lambda path: entries(path, (special("link", stat.S_IFLNK), b"/etc/passwd")), "archive.link"),
    "device": (lambda path: entries(path, (special("dev", stat.S_IFCHR), b"")), "archive.link"),
    "fifo": (lambda path: entries(path, (special("fifo", stat.S_IFIFO), b"")), "archive.link"),
    "bomb": (lambda path: entries(path, ("zeros", bytes(80 << 20))), "archive.too_large"),
    "file and folder": (lambda path: entries(path, ("a", b"x"), ("a/b", b"y")), "archive.invalid"),
    "lying header": (lying, "archive.invalid"),
    "truncated": (truncated, "archive.invalid"),
    "broken crc": (broken_crc, "archive.invalid"),
    "new line": (lambda path: entries(path, ("a\nb", b"x")), "archive.name"),
    "escape sequence": (lambda path: entries(path, ("a\x1b[2Jb", b"x")), "archive.name"),
    "line separator": (lambda path: entries(path, ("a\u2028b", b"x")), "archive.name"),
    "long name": (lambda path: entries(path, ("a" * 256, b"x")), "archive.name"),
    "long name in bytes": (lambda path: entries(path, ("ä" * 128, b"x")), "archive.name"),
    "long path": (lambda path: entries(path, ("a/" * 600 + "b", b"x")), "archive.name"),
    "deep path": (lambda path: entries(path, ("a/" * 100 + "b", b"x")), "archive.name"),
    "name of 65535 bytes": (lambda path: entries(path, ("a" * 65535, b"x")), "archive.name"),
    "names alike but for case": (lambda path: entries(path, ("Data/a", b"x"), ("data/b", b"y")), "archive.invalid"),
    "files alike but for case": (lambda path: entries(path, ("A", b"x"), ("a", b"y")), "archive.invalid"),
    "block device": (lambda path: entries(path, (special("dev", stat.S_IFBLK), b"")), "archive.link"),
    "socket": (lambda path: entries(path, (special("dev", stat.S_IFSOCK), b"")), "archive.link"),
    "symlink to a folder": (
        lambda path: entries(path, (special("d", stat.S_IFLNK), b"/etc"), ("d/passwd", b"x")),
        "archive.link",
    ),
    "more entries than it says": (crowd, "archive.too_many"),
    "a million entries": (million, "archive.too_many"),
    "megabytes of names": (wordy, "archive.invalid"),
    "quoted overlap": (quoting, "archive.invalid"),
    "entry in an entry": (nested, "archive.invalid"),
    "entry in the directory": (into_the_directory, "archive.invalid"),
    "bytes in front": (prefixed, "archive.invalid"),
    "two ends": (two_ends, "archive.invalid"),
    "zip64 that promises much": (huge_zip64, "archive.invalid"),
    "bzip2": (packed_by(zipfile.ZIP_BZIP2), "archive.invalid"),
    "lzma": (packed_by(zipfile.ZIP_LZMA), "archive.invalid"),
    "encrypted": (encrypted, "archive.invalid"),
    "empty": (lambda path: path.write_bytes(b"") and None, "archive.invalid"),
    "no zip": (lambda path: path.write_bytes(b"no archive") and None, "archive.invalid"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(tmp_path: Path, case: str) -> None:
    make, code = HOSTILE[case]
    path = tmp_path / "code.zip"
    make(path)
    tracemalloc.start()
    try:
        with pytest.raises(LinesideError) as caught:
            archive.unpack(path, "code.zip", tmp_path / "in" / "code")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == code
    assert "\n" not in caught.value.message
    assert most < 8 << 20
    assert sorted(item.name for item in tmp_path.iterdir() if item.name != "in") == ["code.zip"]


def test_two_entries_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "code.zip"
    with pytest.warns(UserWarning, match="Duplicate"):
        entries(path, ("a", b"1"), ("a", b"2"))
    with pytest.raises(LinesideError, match=r"archive\.invalid"):
        archive.unpack(path, "code.zip", tmp_path / "code")


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    entries(tmp_path / "code.zip", *((f"f{number}", b"") for number in range(4)))
    with pytest.raises(LinesideError, match=r"archive\.too_many"):
        archive.unpack(tmp_path / "code.zip", "code.zip", tmp_path / "code")


def test_more_than_the_disk_has(tmp_path: Path) -> None:
    entries(tmp_path / "code.zip", ("a", b"x" * 2000))
    with pytest.raises(LinesideError, match=r"archive\.too_large"):
        archive.unpack(tmp_path / "code.zip", "code.zip", tmp_path / "code", max_bytes=1000)


def test_big_archives_of_the_zip64_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    entries(tmp_path / "code.zip", ("a", b"1"), ("b", b"2"), ("c/", b""))
    assert b"PK\6\6" in (tmp_path / "code.zip").read_bytes()
    archive.unpack(tmp_path / "code.zip", "code.zip", tmp_path / "code")
    assert (tmp_path / "code/b").read_bytes() == b"2"


def test_archives_with_a_comment_and_of_nothing(tmp_path: Path) -> None:
    for number, names in enumerate(((), ("a",))):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as target:
            target.comment = b"built by hand"
            for name in names:
                target.writestr(name, b"x")
        archive.unpack(tmp_path / f"{number}.zip", "code.zip", tmp_path / str(number))
        assert sorted(path.name for path in (tmp_path / str(number)).iterdir()) == list(names)


def test_an_archive_written_to_a_pipe(tmp_path: Path) -> None:
    """Sizes then follow the data, in descriptors."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as target:  # type: ignore[arg-type]
        target.writestr("a", b"1" * 1000)
        target.writestr("b", b"2" * 1000)
    (tmp_path / "code.zip").write_bytes(pipe.data)
    archive.unpack(tmp_path / "code.zip", "code.zip", tmp_path / "code")
    assert (tmp_path / "code/b").read_bytes() == b"2" * 1000


def test_an_ordinary_archive(tmp_path: Path) -> None:
    entries(tmp_path / "code.zip", ("pkg/", b""), ("pkg/a.py", b"x = 1"), (special("run.sh", stat.S_IFREG), b"#!"))
    archive.unpack(tmp_path / "code.zip", "code.zip", tmp_path / "code")
    assert (tmp_path / "code/pkg/a.py").read_bytes() == b"x = 1"
    assert (tmp_path / "code/run.sh").stat().st_mode & 0o100
