"""Bytes to pixels: formats by content, upright, any depth; damaged bytes are one clear error."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.runtime.decode import decode, format_of
from lineside.runtime.preprocess import resize
from tests.runtime.conftest import encoded

WIDTH, HEIGHT = 48, 32
KINDS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
ORIENTATIONS = range(1, 9)


def picture() -> np.ndarray:
    """Four quarters: red, green, blue, grey."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:], pixels[16:, :24], pixels[16:, 24:] = (
        (250, 10, 10),
        (10, 250, 10),
        (10, 10, 250),
        (128, 128, 128),
    )
    return pixels


def turned_by_camera(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels a camera stores so that EXIF `orientation` shows them upright (EXIF 2.3, tag 0x0112)."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(stored[orientation])


def oriented(pixels: np.ndarray, orientation: int, kind: str = "JPEG", **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(turned_by_camera(pixels, orientation), kind, exif=exif, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_pixels(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    decoded = decode(encoded(picture(), kind, **options))
    assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
    difference = np.abs(decoded.pixels.astype(int) - picture())
    assert difference.max() <= (12 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    decoded = decode(oriented(picture(), orientation, kind, **options))
    assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
    assert np.abs(decoded.pixels.astype(int) - picture()).max() <= 12


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", [(1921, 1083), (1003, 1999), (640, 480)])
def test_a_reduced_jpeg_shows_the_whole_original_in_place(size: tuple[int, int], orientation: int) -> None:
    y, x = np.mgrid[: size[1], : size[0]]
    ramp = np.stack([x * 255 // size[0], y * 255 // size[1], (x + y) % 2], axis=2).astype(np.uint8)
    data = oriented(ramp, orientation, quality=98, subsampling=0)
    reduced, full = decode(data, (160, 160)), decode(data)
    assert (reduced.width, reduced.height) == (full.width, full.height) == size
    ratio = min(160 / size[0], 160 / size[1])
    fitted = round(size[0] * ratio), round(size[1] * ratio)
    assert reduced.image.width >= fitted[0]
    assert reduced.image.height >= fitted[1]
    assert reduced.image.width < full.image.width
    small, reference = (np.asarray(resize(each, *fitted), int) for each in (reduced, full))
    assert np.abs(small - reference)[..., :2].max() <= 4


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    source = Image.fromarray(picture()).convert(mode)
    buffer = io.BytesIO()
    source.save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    decoded = decode(buffer.getvalue()).pixels
    assert decoded.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(decoded, np.asarray(source.convert("RGB")))


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture()).convert("CMYK").save(buffer, "JPEG", quality=95, subsampling=0)
    assert np.abs(decode(buffer.getvalue()).pixels.astype(int) - picture()).max() <= 16


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_high_byte(kind: str) -> None:
    values = (np.arange(64, dtype=np.uint16) * 1024).reshape(8, 8)
    decoded = decode(encoded(values, kind)).pixels
    assert np.array_equal(decoded[..., 0], values >> 8)


def test_sixteen_bit_colour_keeps_its_high_byte() -> None:
    rows = b"".join(b"\x00" + struct.pack(">3H", 0x1234, 0x80FF, 0xFF00) * 2 for _ in range(2))
    chunks = ((b"IHDR", struct.pack(">2I5B", 2, 2, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    assert decode(data).pixels[0, 0].tolist() == [0x12, 0x80, 0xFF]


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + bytes(40), b"hello, world", bytes(1000), b"%PDF-1.7", b"RIFF0000WAVE"]
)
def test_what_is_no_image_is_unsupported(data: bytes) -> None:
    with pytest.raises(LinesideError) as caught:
        decode(data)
    assert caught.value.code == "image.unsupported"


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_image_is_unreadable(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(noise, kind)
    for share in (0.02, 0.3, 0.7, 0.95):
        with pytest.raises(LinesideError) as caught:
            decode(data[: max(16, int(len(data) * share))])
        assert caught.value.code == "image.unreadable"


def test_too_many_pixels_are_refused_before_decoding() -> None:
    header = struct.pack(">2I5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    idat = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(LinesideError) as caught:
        decode(b"\x89PNG\r\n\x1a\n" + chunk + idat)
    assert caught.value.code == "image.too_large"


def test_a_broken_exif_block_does_not_cost_the_image() -> None:
    data = bytearray(oriented(picture(), 6))
    at = data.index(b"Exif\x00\x00") + 6
    data[at : at + 8] = b"\xff" * 8
    assert decode(bytes(data)).width == HEIGHT  # as stored


@pytest.mark.parametrize("kind", KINDS)
def test_fuzzed_bytes_decode_or_raise_our_error(kind: str) -> None:
    source = random.Random(kind)
    original = encoded(picture(), kind)
    for _ in range(300):
        data = bytearray(original)
        for _ in range(source.randint(1, 12)):
            data[source.randrange(len(data))] = source.randrange(256)
        try:
            pixels = decode(bytes(data[: source.randint(len(data) // 2, len(data))]), (32, 32)).pixels
        except LinesideError as error:
            assert error.code.startswith("image.")  # noqa: PT017 - either outcome is right
        else:
            assert pixels.ndim == 3


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*"]),
)
def test_any_bytes_after_a_magic_number_are_our_error(tail: bytes, magic: bytes) -> None:
    with pytest.raises(LinesideError):
        decode(magic + tail)
    assert format_of(magic) is None or magic
