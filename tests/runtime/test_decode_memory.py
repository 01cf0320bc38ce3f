"""How much memory an image may take: at most `BYTES_A_PIXEL` (WebP: twice that) while it is decoded, or a refusal that
says why. Under a limit of the kernel's, in a process of its own."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.runtime import decode as decoding
from lineside.runtime.decode import BYTES_A_PIXEL, MAX_PIXELS, decode
from lineside.runtime.models.memory import Memory

SIDE = 3000
SLACK = 24 * 1024 * 1024
CASES = {
    "jpeg": ("JPEG", "RGB", {}),
    "progressive jpeg": ("JPEG", "RGB", {"progressive": True}),
    "cmyk jpeg": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "png with alpha": ("PNG", "RGBA", {}),
    "png of 16 bits": ("PNG", "I;16", {}),
    "png of 1 bit": ("PNG", "1", {}),
    "png with a palette": ("PNG", "P", {}),
    "tiff": ("TIFF", "RGB", {}),
    "cmyk tiff": ("TIFF", "CMYK", {}),
    "bmp": ("BMP", "RGB", {}),
    "webp": ("WEBP", "RGB", {"method": 0}),
}
CHILD = """
import resource, sys
from lineside.contract.errors import LinesideError
from lineside.runtime.decode import decode
data = sys.stdin.buffer.read()
decode(open("tests/runtime/images/astronaut.jpg", "rb").read(), (64, 64))  # libraries are loaded
for line in open("/proc/self/status"):
    if line.startswith("VmData"):
        now = int(line.split()[1]) * 1024
limit = now + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    found = decode(data, (640, 640) if sys.argv[2] == "fit" else None)
    print("decoded", found.width, found.height, found.image.getpixel((1, 1)))
except LinesideError as error:
    print(error.code, error.message)
"""


def file_of(name: str, side: int = SIDE) -> bytes:
    kind, mode, options = CASES[name]
    image = (
        Image.fromarray(np.full((side, side), 0x8000, np.uint16)) if mode == "I;16" else Image.new(mode, (side, side))
    )
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def child(data: bytes, room: int, fit: str = "whole") -> str:
    """What a process says that may have so many bytes more."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(room), fit], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.mark.parametrize("name", CASES)
def test_an_image_takes_no_more_than_it_may(name: str) -> None:
    most = BYTES_A_PIXEL * (2 if name == "webp" else 1)
    assert child(file_of(name), most * SIDE * SIDE + SLACK).startswith(f"decoded {SIDE} {SIDE}")


@pytest.mark.parametrize("name", CASES)
def test_without_the_memory_it_is_refused_with_a_reason(name: str) -> None:
    """The system gives nothing more, though it said that there was enough."""
    said = child(file_of(name), 4 * 1024 * 1024)
    assert said.split()[0] in ("image.no_memory", "image.unreadable"), said


def test_a_jpeg_that_is_scaled_while_it_is_decoded_needs_only_what_it_then_has() -> None:
    assert child(file_of("jpeg"), SIDE * SIDE, "fit").startswith(f"decoded {SIDE} {SIDE}")


def test_as_many_pixels_as_may_be_are_decoded() -> None:
    said = child(file_of("png of 1 bit", 10_000), BYTES_A_PIXEL * MAX_PIXELS + SLACK)
    assert said.startswith("decoded 10000 10000")


@pytest.mark.parametrize("name", ["png", "webp", "progressive jpeg"])
def test_what_would_take_more_than_half_of_what_is_free_is_not_even_tried(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file_of(name)
    needed = {"png": 8, "webp": 16, "progressive jpeg": 12}[name] * SIDE * SIDE
    monkeypatch.setattr(decoding, "memory", lambda: Memory(2 * needed, 0, "cgroup"))
    assert decode(data).width == SIDE
    monkeypatch.setattr(decoding, "memory", lambda: Memory(2 * needed - 2, 0, "cgroup"))
    with pytest.raises(LinesideError) as caught:
        decode(data)
    assert caught.value.code == "image.no_memory"
    assert f"{SIDE} x {SIDE}" in caught.value.message


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_a_webp_that_says_it_is_huge_is_refused_before_it_is_opened(kind: bytes) -> None:
    side = 16_383
    head = {
        b"VP8X": struct.pack("<I", 0) + struct.pack("<I", side - 1)[:3] * 2,
        b"VP8L": b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(5),
        b"VP8 ": bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", side, side),
    }[kind]
    chunk = kind + struct.pack("<I", len(head)) + head + bytes(64)
    with pytest.raises(LinesideError) as caught:
        decode(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    assert caught.value.code == "image.too_large"


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"quality": 50}, {"quality": 50, "exif": b"Exif\x00\x00MM\x00*"}]
)
def test_the_size_of_a_webp_is_read_from_its_head(options: dict[str, object]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (123, 45), (5, 6, 7)).save(buffer, "WEBP", **options)
    assert decoding._webp_size(buffer.getvalue()) == (123, 45)
