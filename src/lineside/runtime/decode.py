"""Image bytes to pixels: the format is judged by content, never by a file's name."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from lineside.contract.errors import LinesideError
from lineside.runtime.models.memory import MB, memory

MAX_PIXELS = 100_000_000
"""Images with more pixels than this are refused before they are decoded."""

SNIFF_BYTES = 16
"""How many leading bytes `format_of` needs."""

BYTES_A_PIXEL = 8
"""Of memory while an image is decoded and brought to RGB; a test holds every format and mode to it."""

_OF_WEBP, _OF_PROGRESSIVE = 16, 4  # libwebp keeps two canvases beside it; a progressive JPEG is kept whole at any scale
_SMALL = 64_000_000  # bytes for which nobody asks how much memory is free

Region = tuple[float, float, float, float]

_OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
}
_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = frozenset({5, 6, 7, 8})
_FROM_RIGHT = frozenset({2, 3, 6, 7})  # orientations whose left side was another side's far end
_FROM_BOTTOM = frozenset({3, 4, 7, 8})


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image, upright. `image` (mode RGB) may be smaller than the original; `region` is the part of it, in its
    own pixels, that shows the whole original of `width` x `height` pixels."""

    image: Image.Image
    width: int
    height: int
    region: Region

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Picture:
        """A picture of uint8 RGB pixels [H, W, 3]."""
        image = Image.fromarray(pixels, mode="RGB") if pixels.ndim == 3 else Image.fromarray(pixels).convert("RGB")
        return cls(image, image.width, image.height, (0.0, 0.0, float(image.width), float(image.height)))

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 RGB [H, W, 3] of `image`."""
        return np.asarray(self.image)


def format_of(head: bytes) -> str | None:
    """The format that the first bytes (`SNIFF_BYTES` suffice) belong to: jpeg, png, bmp, webp, tiff, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for magic, name in _SIGNATURES if head.startswith(magic)), None)


def decode(data: bytes, fit: tuple[int, int] | None = None) -> Picture:
    """Decodes a JPEG, PNG, BMP, WebP or TIFF image (its first frame), EXIF orientation applied.

    With `fit` (width, height) a JPEG may be decoded at 1/2, 1/4 or 1/8 as long as the picture, made to fit into that
    size, does not have to be enlarged again. Raises `image.unsupported` for bytes that are no such image,
    `image.unreadable` for damaged ones, `image.too_large` beyond `MAX_PIXELS` and `image.no_memory` when decoding would
    take more than half of the memory that is free.
    """
    name = format_of(data[:SNIFF_BYTES])
    if name is None:
        raise LinesideError("image.unsupported", why="it is empty" if not data else f"it begins with {data[:8].hex()}")
    size = _webp_size(data) if name == "webp" else None
    try:
        if size is not None:
            _check_size(*size, _OF_WEBP * size[0] * size[1])  # opening it already takes that much
        image = _OPENERS[name](io.BytesIO(data))
        size = image.size
        _check_size(*size, 0)
        return _load(image, fit, len(data))
    except LinesideError:
        raise
    except MemoryError as error:
        raise _no_memory(*(size or (0, 0)), 0, 0) from error
    except Exception as error:  # Pillow's decoders raise nearly any type on damaged bytes; all of them mean this
        raise LinesideError("image.unreadable", format=name, why=str(error) or type(error).__name__) from error


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as its first chunk says (RFC 9649); None where it says nothing that could be read."""
    kind, head = data[12:16], data[20:30]
    if len(head) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    return None


def _check_size(width: int, height: int, needed: int) -> None:
    """Raises `image.too_large`, and `image.no_memory` when `needed` bytes are more than half of what is free."""
    if width * height > MAX_PIXELS:
        raise LinesideError("image.too_large", width=width, height=height, limit=MAX_PIXELS)
    if needed > _SMALL and needed > (free := memory().free // 2):
        raise _no_memory(width, height, needed, free)


def _no_memory(width: int, height: int, needed: int, free: int) -> LinesideError:
    megabytes = {"needed": max(1, needed // MB), "free": free // MB}
    return LinesideError("image.no_memory", width=width, height=height, **megabytes)


def _load(image: ImageFile.ImageFile, fit: tuple[int, int] | None, size: int) -> Picture:
    width, height = image.size
    region: Region = (0.0, 0.0, float(width), float(height))
    jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    if jpeg:
        image.decodermaxblock = max(image.decodermaxblock, size)  # all is in memory: given to the decoder at once
    if fit is not None and jpeg:
        drafted = image.draft(None, _size_within(image.size, fit, swapped=_orientation(image) in _SWAPS_SIDES))
        region = drafted[1] if drafted else region
    whole = _OF_PROGRESSIVE * width * height if image.info.get("progressive") else 0
    _check_size(width, height, whole + BYTES_A_PIXEL * image.size[0] * image.size[1])
    image.load()
    upright = _rgb(image)
    orientation = _orientation(image)
    if orientation not in _TURNS:
        return Picture(upright, width, height, region)
    region = _turned(region, upright.size, orientation)
    swapped = orientation in _SWAPS_SIDES
    return Picture(
        upright.transpose(_TURNS[orientation]), height if swapped else width, width if swapped else height, region
    )


def _size_within(size: tuple[int, int], fit: tuple[int, int], *, swapped: bool) -> tuple[int, int]:
    """The size that keeps at least as many pixels as the picture made to fit has, on both axes."""
    wanted_width, wanted_height = fit[::-1] if swapped else fit
    ratio = max(min(wanted_width / size[0], wanted_height / size[1]), 1e-9)
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 when there is none or its block cannot be read (the pixels are still good)."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (ValueError, SyntaxError, OSError, EOFError, KeyError, IndexError, TypeError, OverflowError):
        return 1
    except Exception as error:  # struct.error and the like, raised by Pillow while it parses EXIF
        if type(error).__module__ in ("struct", "xml.etree.ElementTree"):
            return 1
        raise
    return value if isinstance(value, int) else 1


def _turned(region: Region, size: tuple[int, int], orientation: int) -> Region:
    """Where `region` of an image of `size` lies after the turn that `orientation` asks for."""
    left, top, right, bottom = region
    width, height = size
    if orientation in _SWAPS_SIDES:
        left, top, right, bottom, width, height = top, left, bottom, right, height, width
    if orientation in _FROM_RIGHT:
        left, right = width - right, width - left
    if orientation in _FROM_BOTTOM:
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB: alpha is dropped, 16-bit values keep their high byte."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode} have no known range")
    return image.convert("RGB")
