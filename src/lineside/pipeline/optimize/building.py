"""The files that are tried beside fp32: fp16, INT8, and each of them with pixels as its input where that is quicker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnx

from lineside.contract.dataset import ImageRecord
from lineside.contract.ids import digest_of
from lineside.contract.model import Signature
from lineside.pipeline.files import write_whole
from lineside.pipeline.optimize.graphs import checked, prepared, telling
from lineside.pipeline.optimize.half import halved
from lineside.pipeline.optimize.pairs import paired
from lineside.pipeline.optimize.pixels import folded
from lineside.pipeline.quantize import Tensor
from lineside.pipeline.step import Context
from lineside.pipeline.timing import timed
from lineside.runtime.decode import decode
from lineside.runtime.preprocess import Preprocessor

PICTURES = 64
"""Training pictures at most that INT8 is calibrated on."""

_SLOWER = 1.25  # times as long: by less, two measurements of one file may differ, and runs must come out the same


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A model file on this disk, how it is fed, and a sentence on how it was made."""

    name: str
    file: Path
    signature: Signature
    words: str = ""


def calibration(training: Sequence[ImageRecord]) -> list[ImageRecord]:
    """At most `PICTURES`, spread over all of them."""
    stride = max(1, len(training) // PICTURES)
    return list(training[::stride][:PICTURES])


def tensors(context: Context, signature: Signature, pictures: Sequence[ImageRecord]) -> list[Tensor]:
    """Pictures as a device feeds them, always in the whole input: ranges that were measured without padding are
    narrower, and cost accuracy."""
    fill = Preprocessor(signature.whole)
    fit = (signature.input_width, signature.input_height)
    found = (fill(decode(context.images.path(picture.digest).read_bytes(), fit))[0] for picture in pictures)
    return [tensor.copy() for tensor in found]


def half(fp32: Path, signature: Signature, picture: bytes, folder: Path) -> Made:
    """The fp16 file, in `folder`. Error: quantize.failed."""
    with telling(fp32.name):
        data = checked(halved(prepared(fp32)))
    return quicker("fp16", data, signature, picture, folder)


def quicker(name: str, data: bytes, signature: Signature, picture: bytes, folder: Path) -> Made:
    """A file in `folder`, with pixels as its input, or as it is where those are slower for `picture`; the files take
    turns. Error: quantize.failed."""
    plain = Made(name=name, file=_written(data, folder), signature=signature)
    if signature.takes_pixels:
        return plain
    with telling(name):
        model, takes_pixels = folded(onnx.load_from_string(data), signature)
        paired(model)
        other = Made(name=name, file=_written(checked(model), folder), signature=takes_pixels)
    before, after = timed([(one.file, one.signature) for one in (plain, other)], picture)
    words = f"{after.ms} ms with pixels as its input, {before.ms} ms without."
    return msgspec.structs.replace(other if after.share < _SLOWER else plain, words=words)


def _written(data: bytes, folder: Path) -> Path:
    file = folder / f"{digest_of(data).removeprefix('sha256:')}.onnx"
    write_whole(file, data)
    return file
