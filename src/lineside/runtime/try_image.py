"""`try`: what a model finds on one image, as lines of JSON and as a drawing."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Detection
from lineside.runtime.decode import decode
from lineside.runtime.model import SIGNATURE_FILE, Model, load, load_folder

_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What was found on one image, as one JSON document."""

    model: str
    version: int
    digest: str
    width: int
    height: int
    latency_ms: float
    detections: tuple[Detection, ...]


def any_model(path: Path, *, threads: int = 0) -> Model:
    """The model of a component's folder, or an ONNX file with its signature beside it: NAME.signature.json, NAME.json
    or signature.json. Raises what `load` raises, `model.missing` for a file without one."""
    if path.is_dir():
        return load_folder(path, threads=threads)
    beside = (path.with_suffix(".signature.json"), path.with_suffix(".json"), path.parent / SIGNATURE_FILE)
    for place in beside if path.is_file() else ():
        if place.is_file():
            try:
                return load(path, msgspec.json.decode(place.read_bytes(), type=Signature), threads=threads)
            except UNREADABLE as error:
                raise LinesideError("model.description_invalid", path=place, why=error) from error
    why = "no signature lies beside it" if path.is_file() else "there is no such file or folder"
    raise LinesideError("model.missing", path=path, why=why)


def try_image(folder: Path, image: Path, out: Path | None, threshold: float | None, *, json: bool = False) -> int:
    """Prints one line a detection, or one JSON document; with `out`, writes the picture with its boxes. Returns the
    exit code 0. Raises what the model and the image raise, and `cli.file_unwritable`."""
    model = any_model(folder)
    data = read_image(image)
    inference = model.detect_timed(data, score_threshold=threshold)
    if json:
        tried = Tried(
            model=model.identity.name,
            version=model.identity.version,
            digest=model.digest,
            width=inference.picture.width,
            height=inference.picture.height,
            latency_ms=round(inference.latency_ms, 3),
            detections=tuple(inference.detections),
        )
        sys.stdout.write(msgspec.json.encode(tried).decode() + "\n")
    for found in () if json else inference.detections:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    if out is not None:
        _write(drawn(decode(data).image, inference.detections), out)
    if not json:
        sys.stdout.write(f"{len(inference.detections)} found in {inference.latency_ms:.1f} ms\n")
    return 0


def read_image(path: Path) -> bytes:
    """The file's bytes. Raises `image.missing`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LinesideError("image.missing", path=path, why=error.strerror or type(error).__name__) from error


def _write(picture: Image.Image, path: Path) -> None:
    try:
        picture.save(path, format="PNG")
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=path, why=error.strerror or error) from error


def drawn(image: Image.Image, detections: list[Detection]) -> Image.Image:
    """A copy of an upright image of full size, with its boxes, labels and confidences."""
    copy = image.convert("RGB")
    pen = ImageDraw.Draw(copy)
    line = max(2, round(max(copy.size) / 300))
    for found in detections:
        colour = _COLOURS[found.class_index % len(_COLOURS)]
        corner = (found.x, found.y)
        pen.rectangle((*corner, found.x + found.width, found.y + found.height), outline=colour, width=line)
        words = f"{found.label} {found.confidence:.2f}"
        pen.rectangle(pen.textbbox(corner, words, font_size=6 * line), fill=colour)
        pen.text(corner, words, fill="white", font_size=6 * line)
    return copy
