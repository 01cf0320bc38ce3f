"""A picture to a model's input tensor, as its signature says, and back from the model's pixels to the picture's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.decode import MAX_PIXELS, Picture

LETTERBOXES = ("corner", "centre", "stretch")
INPUTS = (msgspec.UNSET, "float32", "uint8")
CHANNELS = {"rgb": (0, 1, 2), "bgr": (2, 1, 0), "grey": (0,)}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a picture of `width` x `height` lies in the input: input = original * scale + offset, per axis, in pixels;
    `placed_width` x `placed_height` is its size there, `input_width` x `input_height` the size of the input."""

    width: int
    height: int
    scale_x: float
    scale_y: float
    offset_x: int
    offset_y: int
    placed_width: int
    placed_height: int
    input_width: int
    input_height: int

    def to_original(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes x1, y1, x2, y2 [K, 4] from pixels of the input to pixels of the original, clipped to it."""
        shift = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        limit = np.array([self.width, self.height] * 2, np.float32)
        original: NDArray[np.float32] = np.clip((boxes - shift) / scale, np.float32(0.0), limit)
        return original


def geometry_of(width: int, height: int, signature: Signature) -> Geometry:
    """How a picture of `width` x `height` pixels is placed in the signature's input."""
    room_x, room_y = signature.input_width, signature.input_height
    if signature.letterbox == "stretch":
        placed_x, placed_y = room_x, room_y
    else:
        ratio = min(room_x / width, room_y / height)
        placed_x = min(room_x, max(1, round(width * ratio)))
        placed_y = min(room_y, max(1, round(height * ratio)))
    if signature.size_divisor:
        room_x = min(room_x, _rounded_up(placed_x, signature.size_divisor))
        room_y = min(room_y, _rounded_up(placed_y, signature.size_divisor))
    centred = signature.letterbox == "centre"
    return Geometry(
        width=width,
        height=height,
        scale_x=placed_x / width,
        scale_y=placed_y / height,
        offset_x=(room_x - placed_x) // 2 if centred else 0,
        offset_y=(room_y - placed_y) // 2 if centred else 0,
        placed_width=placed_x,
        placed_height=placed_y,
        input_width=room_x,
        input_height=room_y,
    )


def sizes_of(signature: Signature) -> list[tuple[int, int]]:
    """Width and height of the largest input and, where the signature has a `size_divisor`, of the flattest and of the
    narrowest."""
    width, height, least = signature.input_width, signature.input_height, signature.size_divisor
    return [(width, height), (width, least), (least, height)] if least else [(width, height)]


def input_shape(signature: Signature) -> tuple[int, ...]:
    """Of the largest input: [1, C, input_height, input_width], or [1, input_height, input_width, C] for a file that
    takes pixels."""
    return _shape(signature, signature.input_width, signature.input_height)


def _shape(signature: Signature, width: int, height: int) -> tuple[int, ...]:
    planes = len(CHANNELS[signature.channels])
    return (1, height, width, planes) if signature.takes_pixels else (1, planes, height, width)


def _rounded_up(pixels: int, divisor: int) -> int:
    return -(-pixels // divisor) * divisor


class Preprocessor:
    """Fills one block of memory again and again: what `__call__` returns is valid until the next call. Not for two
    threads."""

    def __init__(self, signature: Signature) -> None:
        """Raises `model.signature_invalid` for a signature that cannot be followed."""
        _check(signature)
        self._signature = signature
        self._order = CHANNELS[signature.channels]
        planes = len(self._order)
        self._gain = [np.float32(signature.scale / signature.std[c]) for c in range(planes)]
        self._bias = [np.float32(-signature.mean[c] / signature.std[c]) for c in range(planes)]
        self._element = np.uint8 if signature.takes_pixels else np.float32
        self._memory: NDArray[Any] = np.empty(math.prod(self.shape), self._element)
        self._tensor: NDArray[Any] = self._memory.reshape(self.shape)
        self._placed: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the largest input, see `input_shape`."""
        return input_shape(self._signature)

    @property
    def element(self) -> str:
        """float32 or uint8."""
        return self._element.__name__

    def __call__(self, picture: Picture) -> tuple[NDArray[Any], Geometry]:
        """The input tensor of a picture, of `element`, and where the picture lies in it; of `shape`, or no larger than
        the picture needs it where the signature has a `size_divisor`."""
        geometry = geometry_of(picture.width, picture.height, self._signature)
        resized = resize(picture, geometry.placed_width, geometry.placed_height)
        left, top = geometry.offset_x, geometry.offset_y
        right, bottom = left + geometry.placed_width, top + geometry.placed_height
        self._make_room(geometry.input_width, geometry.input_height, (left, top, right, bottom))
        if self._signature.takes_pixels:
            self._tensor[0, top:bottom, left:right] = self._pixels(resized)
            return self._tensor, geometry
        planes = (resized.convert("L"),) if len(self._order) == 1 else resized.split()
        for index, source in enumerate(self._order):
            target = self._tensor[0, index, top:bottom, left:right]
            np.multiply(np.asarray(planes[source]), self._gain[index], out=target)
            if self._bias[index]:
                target += self._bias[index]
        return self._tensor, geometry

    def _pixels(self, resized: Image.Image) -> NDArray[np.uint8]:
        if len(self._order) == 1:
            return np.asarray(resized.convert("L"))[..., None]
        pixels = np.asarray(resized)
        return pixels if self._order == (0, 1, 2) else pixels[..., list(self._order)]

    def _make_room(self, width: int, height: int, placed: tuple[int, ...]) -> None:
        """The tensor of that size, in the same memory, with padding around what is placed in it."""
        if (width, height, *placed) == self._placed:
            return  # the padding of the picture before is still right
        self._placed = (width, height, *placed)
        shape = _shape(self._signature, width, height)
        if shape != self._tensor.shape:
            self._tensor = self._memory[: math.prod(shape)].reshape(shape)
        if self._signature.takes_pixels:
            self._tensor[:] = self._signature.pad
            return
        for index, (gain, bias) in enumerate(zip(self._gain, self._bias, strict=True)):
            self._tensor[0, index] = np.float32(self._signature.pad) * gain + bias


def resize(picture: Picture, width: int, height: int) -> Image.Image:
    """The whole picture at `width` x `height` pixels, bilinear (smoothed when it shrinks), mode RGB."""
    if (width, height) == picture.image.size and picture.region == (0.0, 0.0, float(width), float(height)):
        return picture.image
    return picture.image.resize((width, height), Image.Resampling.BILINEAR, box=picture.region)


def _check(signature: Signature) -> None:
    planes = len(CHANNELS.get(signature.channels, ()))
    wrong = (
        (not planes, f"channels is {signature.channels}, not one of {', '.join(CHANNELS)}"),
        (signature.letterbox not in LETTERBOXES, f"letterbox is {signature.letterbox}, not one of {LETTERBOXES}"),
        (min(signature.input_width, signature.input_height) < 1, "the input has no pixels"),
        (len(signature.mean) < planes or len(signature.std) < planes, f"mean and std need {planes} values"),
        (any(value == 0 for value in signature.std), "a std is 0"),
        (signature.input_width * signature.input_height > MAX_PIXELS, f"the input has over {MAX_PIXELS} pixels"),
        (not signature.labels, "it has no labels"),
        (signature.input not in INPUTS, f"input is {signature.input}, not one of float32, uint8"),
        (signature.takes_pixels and not 0 <= signature.pad <= 255, "pad is no pixel value"),
        (_divides_badly(signature), f"size_divisor is {signature.size_divisor}: both sides must be multiples of it"),
        (
            signature.size_divisor and signature.letterbox == "stretch",
            "size_divisor: a stretched picture has no padding",
        ),
    )
    for is_wrong, why in wrong:
        if is_wrong:
            raise LinesideError("model.signature_invalid", why=why)


def _divides_badly(signature: Signature) -> bool:
    divisor = signature.size_divisor
    if divisor is msgspec.UNSET:
        return False
    return divisor < 1 or bool(signature.input_width % divisor or signature.input_height % divisor)
