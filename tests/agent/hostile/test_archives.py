"""Archives that reach out, blow up or lie: staged as the agent stages them."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from lineside.agent.updating import archive as unpacking
from lineside.agent.updating import packages
from lineside.agent.updating.store import RESERVE
from tests.agent.hostile.conftest import Bench


def made(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in entries:
            target.writestr(name, data)
    return buffer.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_an_honest_archive_is_staged(bench: Bench) -> None:
    bench.stage(made(("lib/main.py", b"x = 1")))
    assert (bench.paths.unarchived("app", "1.0.0") / "code/lib/main.py").read_bytes() == b"x = 1"


@pytest.mark.parametrize(
    "path",
    ["../out", "../../../../../../tmp/lineside-was-here", "/tmp/lineside-was-here", "a/../../out", "..", "a/..",
     "\\\\host\\x", "C:/Windows/x", "a\\..\\..\\out", "//out", "./../out"],
)  # fmt: skip
def test_paths_that_lead_outside(bench: Bench, path: str) -> None:
    bench.refuses(made(("first", b"1"), (path, b"out")), "archive.path_escape")
    assert not Path("/tmp/lineside-was-here").exists()


@pytest.mark.parametrize("path", ["a\nb", "a\x1b[2Jb", "\x7f", "a" * 300, "d/" * 100 + "x", "a\u2028b"])
def test_names_that_nobody_can_read(bench: Bench, path: str) -> None:
    bench.refuses(made((path, b"x")), "archive.name")


def test_a_name_that_ends_early(bench: Bench) -> None:
    data = made(("inAout", b"x"))
    bench.refuses(data.replace(b"inAout", b"in\0out"), "archive.path_escape")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices(bench: Bench, kind: int) -> None:
    bench.refuses(made((special("x", kind), b"/etc/passwd")), "archive.link")


def test_a_link_and_a_file_below_it(bench: Bench) -> None:
    bench.refuses(made((special("etc", stat.S_IFLNK), b"/etc"), ("etc/lineside", b"x")), "archive.link")


def test_no_entry_keeps_rights_of_its_own(bench: Bench) -> None:
    info = zipfile.ZipInfo("su")
    info.external_attr = (stat.S_IFREG | stat.S_ISUID | stat.S_ISGID | 0o777) << 16
    bench.stage(made((info, b"#!")))
    found = (bench.paths.unarchived("app", "1.0.0") / "code/su").stat()
    assert stat.S_IMODE(found.st_mode) & (stat.S_ISUID | stat.S_ISGID | 0o022) == 0


def test_a_bomb(bench: Bench) -> None:
    bench.refuses(made(*((f"zeros{number}", bytes(32 << 20)) for number in range(3))), "archive.too_large")


def test_a_bomb_that_says_it_is_small(bench: Bench) -> None:
    """The directory promises ten bytes; a gigabyte's worth of zeros follows."""
    data = made(("zeros", bytes(8 << 20)))
    lied = data.replace(struct.pack("<L", 8 << 20), struct.pack("<L", 10))
    assert lied != data
    bench.refuses(lied, "archive.invalid")


def test_a_bomb_of_overlapping_entries(bench: Bench) -> None:
    """Many names quote the same compressed bytes (David Fifield, A better zip bomb)."""
    compressor = zlib.compressobj(wbits=-15)
    packed = compressor.compress(bytes(1 << 20)) + compressor.flush()
    check = zlib.crc32(bytes(1 << 20))
    sizes = struct.pack("<3L", check, len(packed), 1 << 20)
    local = b"PK\x03\x04" + struct.pack("<5H", 20, 0, 8, 0, 0) + sizes + struct.pack("<2H", 1, 0) + b"a" + packed
    directory = b"".join(
        b"PK\x01\x02" + struct.pack("<6H", 20, 20, 0, 8, 0, 0) + sizes
        + struct.pack("<5H2L", 4, 0, 0, 0, 0, 0, 0) + f"{number:04}".encode()
        for number in range(1000)
    )  # fmt: skip
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1000, 1000, len(directory), len(local), 0)
    bench.refuses(local + directory + end, "archive.invalid", "archive.too_large")


def test_a_million_files(bench: Bench) -> None:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<3H", 7, 0, 0) + bytes(12)
    directory = b"".join(entry + f"{number:07}".encode() for number in range(1_000_000))
    end64 = b"PK\x06\x06" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, len(directory), 0)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, len(directory), 1)
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    bench.refuses(directory + end64 + locator + end, "archive.too_many")


def test_more_than_there_is_room_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "free_bytes", lambda path: RESERVE + 1000)
    bench.refuses(made(("data", bytes(2000))), "archive.too_large")


@pytest.mark.parametrize("pair", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "A"), ("straße", "STRASSE")])
def test_names_that_are_one_and_the_same(bench: Bench, pair: tuple[str, str]) -> None:
    with pytest.warns(UserWarning, match="Duplicate") if pair[0] == pair[1] else contextlib.nullcontext():
        data = made(*((name, b"x") for name in pair))
    bench.refuses(data, "archive.invalid")


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18) + b"more", b"\x7fELF" + bytes(100), b"MZ" * 50])
def test_what_is_no_archive(bench: Bench, data: bytes) -> None:
    bench.refuses(data, "archive.invalid")


def test_a_program_with_an_archive_behind_it(bench: Bench) -> None:
    bench.refuses(b"#!/bin/sh\nexit 0\n" + made(("a", b"x")), "archive.invalid")


def test_an_archive_that_needs_a_password(bench: Bench) -> None:
    data = bytearray(made(("secret", b"x" * 100)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    bench.refuses(bytes(data), "archive.invalid")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_an_archive_that_was_cut_or_mixed_up(bench: Bench, cut: float) -> None:
    data = made(("a", bytes(range(256)) * 50), ("b", b"x" * 5000))
    bench.refuses(data[: int(len(data) * cut)], "archive.invalid")
    flipped = bytearray(data)
    flipped[60] ^= 0xFF
    bench.refuses(bytes(flipped), "archive.invalid")


def test_what_was_staged_before_stays_when_the_next_is_refused(bench: Bench) -> None:
    bench.stage(made(("main", b"good")))
    bench.refuses(made(("../out", b"bad")), "archive.path_escape")
    assert (bench.paths.unarchived("app", "1.0.0") / "code/main").read_bytes() == b"good"


def test_the_limits_are_those_of_the_docs() -> None:
    assert (unpacking.MAX_ENTRIES, unpacking.MAX_BYTES, unpacking.MAX_RATIO) == (20_000, 4 << 30, 200)
