"""Blurring before storing: zones of the picture, then whatever a configured program or hook does, faces for example.

What is blurred is a new image: upright, without the metadata and the thumbnail that the original may bring. A blur that
fails raises, and then nothing is stored.
"""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from PIL import Image, ImageDraw

from lineside.contract.errors import LinesideError
from lineside.runtime.captures.settings import BlurSettings, Zone
from lineside.runtime.decode import decode

ENTRY_POINTS = "lineside.blurs"
Blur = Callable[[bytes, str], bytes]
"""An image file's bytes and its source's name to those that may be stored. Raises `capture.not_blurred`."""

_QUALITY = 95
_BLOCKS = 8  # what is left of a zone: this many patches of one colour a side


def blur_of(settings: BlurSettings) -> Blur:
    """What the settings ask for. Raises `capture.no_hook` when there is no such entry point."""
    hook = _hook(settings.hook) if settings.hook else None

    def blur(data: bytes, source: str) -> bytes:
        if zones := [zone for zone in settings.zones if source in (zone.sources or (source,))]:
            data = _encoded(zoned(decode(data).image, zones))
        if settings.command:
            data = _looked_at(_by_command(settings, data, source), data)
        if hook:
            data = _looked_at(_by_hook(hook, data, source), data)
        return data

    return blur


def zoned(image: Image.Image, zones: Sequence[Zone]) -> Image.Image:
    """The picture with its zones made of a few large patches, each the mean of what was there."""
    result = image.copy()
    for zone in zones:
        points = [(x * image.width, y * image.height) for x, y in _points(zone)]
        mask = Image.new("L", image.size, 0)
        ImageDraw.Draw(mask).polygon(points, fill=255, outline=255)
        box = mask.getbbox()
        if box is None:
            continue
        part = image.crop(box)
        few = min(_BLOCKS, part.width), min(_BLOCKS, part.height)
        patches = part.resize(few, Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)
        result.paste(patches, box, mask.crop(box))
    return result


def _points(zone: Zone) -> Sequence[tuple[float, float]]:
    if zone.rectangle is None:
        return zone.polygon
    x, y, width, height = zone.rectangle
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()


def _by_command(settings: BlurSettings, data: bytes, source: str) -> bytes:
    try:
        done = subprocess.run(
            settings.command,
            input=data,
            capture_output=True,
            timeout=settings.seconds,
            check=False,
            env=os.environ | {"LINESIDE_SOURCE": source},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LinesideError("capture.not_blurred", why=error) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-200:]
        raise LinesideError("capture.not_blurred", why=f"{settings.command[0]} ended with {done.returncode}: {said}")
    return done.stdout


def _by_hook(hook: Blur, data: bytes, source: str) -> bytes:
    try:
        return hook(data, source)
    except Exception as error:  # a hook is foreign code: whatever breaks it, nothing is stored
        raise LinesideError("capture.not_blurred", why=f"{type(error).__name__}: {error}") from error


def _looked_at(blurred: object, before: bytes) -> bytes:
    """What came back, if it is an image of the size that went in."""
    if not isinstance(blurred, bytes):
        raise LinesideError("capture.not_blurred", why=f"what came back is no bytes, but {type(blurred).__name__}")
    try:
        new, old = decode(blurred), decode(before)
    except LinesideError as error:
        raise LinesideError("capture.not_blurred", why=f"what came back is no image: {error.message}") from error
    if (new.width, new.height) != (old.width, old.height):
        sizes = f"{new.width} by {new.height} pixels, not {old.width} by {old.height}"
        raise LinesideError("capture.not_blurred", why=f"what came back has {sizes}")
    return blurred


def _hook(name: str) -> Blur:
    for point in entry_points(group=ENTRY_POINTS, name=name):
        try:
            loaded: Blur = point.load()
        except Exception as error:  # foreign code
            raise LinesideError("capture.no_hook", name=name, why=f"{type(error).__name__}: {error}") from error
        return loaded
    raise LinesideError("capture.no_hook", name=name, why="no installed package has an entry point of that name")
