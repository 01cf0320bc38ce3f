"""Moving pictures by PyAV (FFmpeg): the extra `video`. Loaded when the first source needs it."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from lineside.contract.errors import LinesideError
from lineside.runtime.decode import Picture

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

_ADDRESS = re.compile(r"[\w+.-]+://[^\s'\"]*[^\s'\",;:.)]")
_PLACE = re.compile(r"(?:[^/?#]*@)?([\w.-]*|\[[0-9a-fA-F:.]+\])(:\d+)?")  # what stands before path and query


def opened(where: str, **how: Any) -> InputContainer:
    """A video file, stream or device. Raises `start.extra_missing`, and one of `faults()` when it cannot be opened."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise LinesideError("start.extra_missing", extra="video") from error
    container: InputContainer = av.open(where, **how)
    return container


def faults() -> tuple[type[Exception], ...]:
    """What goes wrong with videos and cameras."""
    from av import FFmpegError

    return FFmpegError, OSError, ValueError, IndexError


def picture_of(frame: VideoFrame) -> Picture:
    """The frame's pixels, upright."""
    pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4  # counterclockwise, as numpy turns
    return Picture.of(np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels)


def trace(frame: VideoFrame) -> int:
    """A number that tells frames apart by every eighth row of their brightness: alike for the very same picture."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[::8, : plane.width]
    return zlib.crc32(rows.tobytes())


def unnamed(where: str) -> str:
    """Scheme, host and port of an address: cameras take passwords before the host, in the path and in the query. Where
    it cannot be told which part is the host, the scheme alone. What is no address is left as it is."""
    scheme, mark, rest = where.partition("://")
    if not mark:
        return where
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    found = _PLACE.fullmatch(place)
    if found is None or "@" in rest[len(place) :]:
        return f"{scheme}://…"
    return f"{scheme}://{found[1]}{found[2] or ''}"


def untold(said: str, where: str) -> str:
    """What FFmpeg says of an address, with no more of it, and of others, than `unnamed` leaves."""
    for written in (where, repr(where)[1:-1]):
        said = said.replace(written, unnamed(where))
    return _ADDRESS.sub(lambda found: unnamed(found[0]), said)
