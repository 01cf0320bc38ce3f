"""Targets that are pictures: whatever a camera, a disk or a stranger made of them, decoded and fitted to a model."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.fuzz.target import Target, Undocumented, expect
from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.decode import MAX_PIXELS, decode
from lineside.runtime.preprocess import Preprocessor

_FITS = ((32, 32), (64, 16), None)
_EXAMPLES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("JPEG", "RGB", {"quality": 60}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "L", {}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"turned": 6}),
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {}),
    ("PNG", "1", {}),
    ("PNG", "I;16", {}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
    ("WEBP", "RGB", {"quality": 50}),
    ("WEBP", "RGBA", {"lossless": True, "turned": 5}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "CMYK", {}),
    ("TIFF", "I;16", {}),
    ("TIFF", "F", {}),
)


def _example(kind: str, mode: str, options: dict[str, Any]) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    image = Image.fromarray(pixels)
    image = Image.fromarray(pixels[..., 0].astype(np.uint16) << 8) if mode == "I;16" else image.convert(mode)
    options = dict(options)
    if turned := options.pop("turned", 0):
        exif = Image.Exif()
        exif[0x0112] = turned
        options["exif"] = exif
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


class _Pictures:
    def __init__(self) -> None:
        kinds = (("float32", "rgb", "corner"), ("uint8", "bgr", "centre"), ("float32", "grey", "stretch"))
        self._preprocess = [
            Preprocessor(
                Signature(
                    head="compact",
                    input_width=48,
                    input_height=32,
                    labels=("a",),
                    input=kind,
                    channels=channels,
                    letterbox=letterbox,
                )
            )
            for kind, channels, letterbox in kinds
        ]

    def read(self, data: bytes) -> None:
        fit = random.Random(len(data)).choice(_FITS)
        try:
            picture = decode(data, fit)
        except LinesideError as error:
            expect(error, "image.")
            return
        if not 0 < picture.width * picture.height <= MAX_PIXELS:
            raise Undocumented(f"{picture.width} x {picture.height}")
        left, top, right, bottom = picture.region
        width, height = picture.image.size
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise Undocumented(f"{picture.region} lies beyond {picture.image.size}")
        for preprocess in self._preprocess:
            tensor, geometry = preprocess(picture)
            if not np.isfinite(tensor).all():
                raise Undocumented("not every value is finite")
            boxes = geometry.to_original(np.array([[-9, -9, 99, 99]], np.float32))
            if boxes.tolist() != [[0, 0, picture.width, picture.height]]:
                raise Undocumented(f"the picture's edges are at {boxes.tolist()}")


def targets(folder: Path) -> list[Target]:
    """`folder` is not needed."""
    return [Target("picture", [_example(*each) for each in _EXAMPLES], _Pictures().read)]
