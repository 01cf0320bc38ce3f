"""`try`: what a model finds on one image, as lines of JSON and as a drawing."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw

from lineside.contract.errors import LinesideError
from lineside.contract.result import Detection
from lineside.runtime.decode import decode
from lineside.runtime.model import load_folder

_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


def try_image(folder: Path, image: Path, out: Path | None, threshold: float | None) -> int:
    """Prints one line a detection; with `out`, writes the picture with its boxes. Returns the exit code 0."""
    model = load_folder(folder)
    data = read_image(image)
    inference = model.detect_timed(data, score_threshold=threshold)
    for found in inference.detections:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    if out is not None:
        drawn(decode(data).image, inference.detections).save(out, format="PNG")
    sys.stdout.write(f"{len(inference.detections)} found in {inference.latency_ms:.1f} ms\n")
    return 0


def read_image(path: Path) -> bytes:
    """The file's bytes. Raises `image.missing`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LinesideError("image.missing", path=path, why=error.strerror or type(error).__name__) from error


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
