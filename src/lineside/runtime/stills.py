"""A picture of a camera or a video as an image file: what captures keep."""

from __future__ import annotations

import io

from PIL import Image

from lineside.runtime.decode import Picture

_QUALITY = 95


def still(picture: Picture) -> bytes:
    """The picture as a JPEG of high quality with full colour resolution."""
    buffer = io.BytesIO()
    Image.fromarray(picture.pixels).save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()


def trace_of(picture: Picture) -> bytes:
    """Some of its pixels, every eighth each way: tells pictures apart for the price of a few kilobytes."""
    return picture.pixels[::8, ::8].tobytes()
