"""Hostile ZIP files are refused, each with its own code, and leave nothing outside the target."""

from __future__ import annotations

import stat
import struct
import zipfile
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
    "no zip": (lambda path: path.write_bytes(b"no archive") and None, "archive.invalid"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(tmp_path: Path, case: str) -> None:
    make, code = HOSTILE[case]
    path = tmp_path / "code.zip"
    make(path)
    with pytest.raises(LinesideError) as caught:
        archive.unpack(path, "code.zip", tmp_path / "in" / "code")
    assert caught.value.code == code
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


def test_an_ordinary_archive(tmp_path: Path) -> None:
    entries(tmp_path / "code.zip", ("pkg/", b""), ("pkg/a.py", b"x = 1"), (special("run.sh", stat.S_IFREG), b"#!"))
    archive.unpack(tmp_path / "code.zip", "code.zip", tmp_path / "code")
    assert (tmp_path / "code/pkg/a.py").read_bytes() == b"x = 1"
    assert (tmp_path / "code/run.sh").stat().st_mode & 0o100
