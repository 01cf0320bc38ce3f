"""Pictures, judged by their bytes: whether they decode, how large they are, and what they look like."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from lineside.server.datasets.pictures.limits import FORMATS, HEIGHT, THUMBNAIL, WIDTH
from lineside.server.datasets.pictures.patches import Patch, patch

_THUMBNAIL_BYTES = 8192
_ORIENTATION = 0x0112  # EXIF 2.32
_TURNED = range(5, 9)  # orientations that swap width and height
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
    """A picture that decodes: width and height in pixels after EXIF rotation, its format, its mean brightness (0..255),
    its patch for comparing, and a JPEG of at most 240 pixels and 8 KB."""

    width: int
    height: int
    form: str
    brightness: float
    patch: Patch
    thumbnail: bytes


def look_at(data: bytes) -> Picture | None:
    """What a file shows; None when it does not decode to its last row."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            form, (width, height) = image.format or "", image.size
            orientation = image.getexif().get(_ORIENTATION, 1)
            if orientation in _TURNED:
                width, height = height, width
            image.draft("RGB", (3 * WIDTH, 3 * HEIGHT))  # JPEG: decode no larger than is looked at
            image.load()
            upright = image if orientation == 1 else ImageOps.exif_transpose(image)
            small = _small(upright)
            brightness = float(np.asarray(small.convert("L")).mean())
            return Picture(width, height, form, brightness, patch(upright), _thumbnail(small))
    except _BROKEN:
        return None


def is_picture(data: bytes) -> bool:
    """Whether a file begins like a picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS):
            return True
    except _BROKEN:
        return False


def _small(image: Image.Image) -> Image.Image:
    """As a page shows it: RGB or grey, and no larger than a thumbnail."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        span = max(float(np.ptp(values)), 1e-9)
        image = Image.fromarray((255 * (values - values.min()) / span).astype(np.uint8))
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    share = min(1.0, THUMBNAIL / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image if size == image.size else image.resize(size, Image.Resampling.HAMMING, reducing_gap=3.0)


def _thumbnail(image: Image.Image) -> bytes:
    for quality in (75, 55, 35, 15, 1):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        if stream.tell() <= _THUMBNAIL_BYTES:
            break
    return stream.getvalue()
