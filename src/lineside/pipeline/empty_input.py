"""How much of a network's input stays empty, because its pictures have another shape; and the size they would fill."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lineside.contract.model import Signature

MOST = 0.25
"""The share of an input that may be padding before a word is said."""
_STEP = 32  # pixels: strides of every network here
_SMALLEST = 64  # pixels a side that trainers take
_OPTIONS = ("input_width", "input_height")


def empty_input(sizes: Sequence[tuple[int, int]], signature: Signature, parameters: Sequence[str]) -> str:
    """A sentence about pictures (width, height in pixels) most of which have one shape that leaves more than `MOST` of
    the input as padding, with the parameters that mend it; nothing where all is well, or a trainer has no such
    `parameters`."""
    if signature.letterbox == "stretch" or not set(_OPTIONS) <= set(parameters) or not sizes:
        return ""
    shapes = Counter(round(width / height, 2) for width, height in sizes)
    shape, count = shapes.most_common(1)[0]
    if 2 * count <= len(sizes):
        return ""
    sample = Counter(size for size in sizes if round(size[0] / size[1], 2) == shape).most_common(1)[0][0]
    now = (signature.input_width, signature.input_height)
    shown = _shown(sample, now)
    empty = 1 - shown[0] * shown[1] / (now[0] * now[1])
    better = tuple(min(side, max(_SMALLEST, _rounded_up(one))) for side, one in zip(now, shown, strict=True))
    if empty <= MOST or better == now:
        return ""
    options = " ".join(f"--set {name}={to}" for name, to, was in zip(_OPTIONS, better, now, strict=True) if to != was)
    fewer = 1 - better[0] * better[1] / (now[0] * now[1])
    gain = f"is {fewer:.0%} smaller."
    if signature.size_divisor:
        gain = f"trains on {fewer:.0%} fewer pixels; devices leave out what is empty as it is."
    return (
        f"{empty:.0%} of the network's input of {now[0]} x {now[1]} stays empty with {count} of {len(sizes)} pictures "
        f"(such as {sample[0]} x {sample[1]}): {options} shows them as large, and {gain}"
    )


def _shown(picture: tuple[int, int], into: tuple[int, int]) -> tuple[float, float]:
    """Width and height of a picture that was scaled to fit."""
    scale = min(into[0] / picture[0], into[1] / picture[1])
    return picture[0] * scale, picture[1] * scale


def _rounded_up(pixels: float) -> int:
    return math.ceil(round(pixels, 6) / _STEP) * _STEP
