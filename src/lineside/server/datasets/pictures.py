"""Pictures, judged by their bytes: whether they decode, how large they are, and what they look like."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

from PIL import Image, ImageOps

from lineside.server.datasets.near_duplicates import HEIGHT, WIDTH, Patch, patch

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "MPO")
"""What is opened; formats that run programs of their own (EPS) are not."""

_TURNED = range(5, 9)  # EXIF orientations that swap width and height (EXIF 2.32, tag 0x0112)
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)  # what Pillow's decoders raise on broken files


@dataclass(frozen=True)
class Picture:
    """A picture that decodes: width and height in pixels after EXIF rotation, and its patch for comparing."""

    width: int
    height: int
    patch: Patch


def look_at(data: bytes) -> Picture | None:
    """What a file shows; None when it does not decode to its last row."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if image.getexif().get(0x0112) in _TURNED:
                width, height = height, width
            image.draft("L", (4 * WIDTH, 4 * HEIGHT))  # JPEG: decode no larger than is looked at
            image.load()
            return Picture(width, height, patch(ImageOps.exif_transpose(image)))
    except _BROKEN:
        return None


def is_picture(data: bytes) -> bool:
    """Whether a file begins like a picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS):
            return True
    except _BROKEN:
        return False
