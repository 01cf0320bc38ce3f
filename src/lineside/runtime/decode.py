"""Image bytes to pixels: the format is judged by content, never by a file's name."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from lineside.contract.errors import LinesideError

MAX_PIXELS = 100_000_000
"""Images with more pixels than this are refused before they are decoded."""

SNIFF_BYTES = 16
"""How many leading bytes `format_of` needs."""

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
    `image.unreadable` for damaged ones and `image.too_large` beyond `MAX_PIXELS`.
    """
    name = format_of(data[:SNIFF_BYTES])
    if name is None:
        raise LinesideError("image.unsupported", why="it is empty" if not data else f"it begins with {data[:8].hex()}")
    try:
        image = _OPENERS[name](io.BytesIO(data))
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise LinesideError("image.too_large", width=width, height=height, limit=MAX_PIXELS)
        return _load(image, fit)
    except LinesideError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly any type on damaged bytes; all of them mean this
        raise LinesideError("image.unreadable", format=name, why=str(error) or type(error).__name__) from error


def _load(image: ImageFile.ImageFile, fit: tuple[int, int] | None) -> Picture:
    width, height = image.size
    region: Region = (0.0, 0.0, float(width), float(height))
    if fit is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        drafted = image.draft(None, _size_within(image.size, fit, swapped=_orientation(image) in _SWAPS_SIDES))
        region = drafted[1] if drafted else region
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
