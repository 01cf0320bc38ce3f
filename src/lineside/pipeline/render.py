"""Rendered tags: made-up pictures of brushed metal tags, some of them scratched, with their labels. For the demo.

    python -m lineside.pipeline.render OUT --count 240 --seed 0 --groups 24
    python -m lineside.pipeline.render OUT --count 160 --seed 7 --groups 40 --light 0.6 --zigzag 0.6

A group is one plate: it is photographed several times, slightly shifted and relit, its scratches stay where they are.
The folder is COCO (`annotations.json` with `group` and `split` on each image, split by plate) and says that it is
rendered; `inbox/` holds unlabelled pictures as a device's folder really looks like. The same seed makes the same bytes.
The second line is a day on which something has changed: 60 % of the light, and six in ten marks are zigzags, which the
first pictures have none of.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 450, 300
_METAL = 142  # its brightness in the middle
_FINE = 2  # drawn this much larger, then reduced, so that edges are smooth
_GOOD_SHARE = 0.2  # plates without a scratch
_TEST_SHARE, _VAL_SHARE = 0.2, 0.15
_INBOX = 12
_ODD = 4  # inbox files with an extension such as .jpg_0

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Scratch:
    """A line across the plate, in pixels of the picture; `bright` scratches shine, others are dark grooves. At a
    `depth` of 0 there would be nothing to see."""

    points: Points
    width: float
    bright: bool
    depth: float = 1.0

    def box(self, dx: float, dy: float) -> tuple[float, float, float, float]:
        """x, y, width, height of the scratch on a plate moved by dx, dy, cut off at the picture's edge."""
        half = self.width / 2
        xs, ys = [x + dx for x, _ in self.points], [y + dy for _, y in self.points]
        left, top = max(min(xs) - half, 0.0), max(min(ys) - half, 0.0)
        right, bottom = min(max(xs) + half, float(WIDTH)), min(max(ys) + half, float(HEIGHT))
        return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


@dataclass(frozen=True)
class Plate:
    """One physical tag: its metal, its hole and its scratches."""

    metal: NDArray[np.float32]  # [HEIGHT * _FINE, WIDTH * _FINE], brightness 0..255
    hole: tuple[float, float, float]  # x, y, radius
    scratches: tuple[Scratch, ...]


def plate(rng: np.random.Generator, *, good: bool, zigzag: float = 0.0) -> Plate:
    """A plate with one to three scratches, or none; about the share `zigzag` of them is of that kind."""
    height, width = HEIGHT * _FINE, WIDTH * _FINE
    grain = rng.normal(0.0, 1.0, (height, width + 256)).astype(np.float32)
    sums = np.cumsum(grain, axis=1)
    brushed = (sums[:, 256:] - sums[:, :-256]) / 16.0
    stains = np.asarray(
        Image.fromarray(rng.normal(0, 1, (6, 9)).astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    )
    metal = rng.uniform(120, 165) + brushed * rng.uniform(5, 9) + stains * rng.uniform(2, 6)
    hole = (rng.uniform(30, 60), rng.uniform(40, HEIGHT - 40), rng.uniform(12, 18))
    count = 0 if good else int(rng.integers(1, 4))
    return Plate(metal.astype(np.float32), hole, tuple(_scratches(rng, count, zigzag)))


def _scratches(rng: np.random.Generator, count: int, zigzag: float) -> list[Scratch]:
    found: list[Scratch] = []
    while len(found) < count:
        candidate = _zigzag(rng) if zigzag and rng.random() < zigzag else _scratch(rng)
        if all(_apart(candidate, other) for other in found):
            found.append(candidate)
    return found


def _scratch(rng: np.random.Generator) -> Scratch:
    angle = rng.uniform(0.45, 1.12) * (1 if rng.random() < 0.5 else -1)
    length = rng.uniform(60, 150)
    x, y = rng.uniform(110, WIDTH - 60), rng.uniform(70, HEIGHT - 70)
    bend = rng.uniform(-0.25, 0.25)
    points = []
    for step in np.linspace(-0.5, 0.5, 7):
        turn = angle + bend * step
        px, py = x + math.cos(turn) * length * step, y + math.sin(turn) * length * step
        points.append((min(max(px, 14.0), WIDTH - 14.0), min(max(py, 14.0), HEIGHT - 14.0)))
    return Scratch(points, rng.uniform(2.0, 4.0), bool(rng.random() < 0.7))


def _zigzag(rng: np.random.Generator) -> Scratch:
    """Something that shook while it was drawn along the plate: teeth side by side."""
    teeth, pitch = int(rng.integers(5, 10)), rng.uniform(11, 16)
    x = rng.uniform(80, WIDTH - 20 - teeth * pitch)
    y, height = rng.uniform(40, HEIGHT - 40), rng.uniform(12, 20)
    points = [(x + pitch * step, y + height * (1 if step % 2 else -1)) for step in range(teeth + 1)]
    return Scratch(points, rng.uniform(2.0, 4.0), bool(rng.random() < 0.7))


def _apart(one: Scratch, other: Scratch) -> bool:
    ax, ay, aw, ah = one.box(0, 0)
    bx, by, bw, bh = other.box(0, 0)
    return ax + aw + 12 < bx or bx + bw + 12 < ax or ay + ah + 12 < by or by + bh + 12 < ay


def photograph(subject: Plate, dx: float, dy: float, rng: np.random.Generator, *, light: float = 1.0) -> Image.Image:
    """A picture of a plate moved by dx, dy pixels, under light that differs from picture to picture; of all of it, the
    share `light` is there."""
    canvas = Image.fromarray(np.clip(subject.metal, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for scratch in subject.scratches:
        _draw_scratch(draw, scratch)
    x, y, radius = (value * _FINE for value in subject.hole)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=24, outline=210, width=3)
    moved = canvas.transform(
        canvas.size, Image.Transform.AFFINE, (1, 0, -dx * _FINE, 0, 1, -dy * _FINE), Image.Resampling.BILINEAR
    )
    small = moved.filter(ImageFilter.GaussianBlur(0.8)).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return _lit(np.asarray(small, dtype=np.float32) * light, rng)


def _draw_scratch(draw: ImageDraw.ImageDraw, scratch: Scratch) -> None:
    line = [(x * _FINE, y * _FINE) for x, y in scratch.points]
    width = max(2, round(scratch.width * _FINE))
    edge, core = (_METAL + (value - _METAL) * scratch.depth for value in ((70, 245) if scratch.bright else (205, 40)))
    draw.line(line, fill=round(edge), width=width + 2, joint="curve")
    draw.line(line, fill=round(core), width=width, joint="curve")


def _lit(grey: NDArray[np.float32], rng: np.random.Generator) -> Image.Image:
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :] * rng.uniform(-0.18, 0.18)
    down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None] * rng.uniform(-0.18, 0.18)
    light = rng.uniform(0.8, 1.2) * (1 + across + down)
    noisy = grey * light + rng.normal(0, rng.uniform(1.5, 4), grey.shape)
    tint = np.array([rng.uniform(0.96, 1.02), 1.0, rng.uniform(0.98, 1.05)])
    return Image.fromarray(np.clip(noisy[:, :, None] * tint, 0, 255).astype(np.uint8))


def render(out: Path, count: int, seed: int, groups: int, *, light: float = 1.0, zigzag: float = 0.0) -> None:
    """Render a labelled folder, see `plate` and `photograph`. `out` is complete once `annotations.json` is there."""
    rng = np.random.default_rng(seed)
    (out / "images").mkdir(parents=True, exist_ok=True)
    splits = _splits(groups)
    images: list[dict[str, object]] = []
    boxes: list[dict[str, object]] = []
    for group in range(groups):
        subject = plate(rng, good=group % round(1 / _GOOD_SHARE) == 2, zigzag=zigzag)
        for number in range(count // groups + (group < count % groups)):
            dx, dy = rng.uniform(-9, 9, 2)
            name = f"tag-{group:02d}-{number:02d}.jpg"
            photograph(subject, dx, dy, rng, light=light).save(out / "images" / name, quality=88)
            image = len(images) + 1
            place = {"id": image, "file_name": name, "width": WIDTH, "height": HEIGHT}
            images.append(place | {"group": group, "split": splits[group]})
            boxes += [_annotation(image, len(boxes) + 1 + i, s.box(dx, dy)) for i, s in enumerate(subject.scratches)]
    _fill_inbox(out / "inbox", rng)
    _write_annotations(out, images, boxes, seed)


def _splits(groups: int) -> list[str]:
    test, val = max(1, round(groups * _TEST_SHARE)), max(1, round(groups * _VAL_SHARE))
    cycle = ["test"] * test + ["val"] * val + ["train"] * max(1, groups - test - val)
    order = np.random.default_rng(groups).permutation(groups)
    return [cycle[int(place)] for place in order]


def _annotation(image: int, number: int, box: tuple[float, float, float, float]) -> dict[str, object]:
    return {"id": number, "image_id": image, "category_id": 1, "bbox": list(box), "area": box[2] * box[3], "iscrowd": 0}


def _fill_inbox(inbox: Path, rng: np.random.Generator) -> None:
    inbox.mkdir(exist_ok=True)
    for number in range(_INBOX):
        subject = plate(rng, good=number % 3 == 0)
        ending = f"jpg_{number}" if number < _ODD else "jpg"
        dx, dy = rng.uniform(-9, 9, 2)
        photograph(subject, dx, dy, rng).save(inbox / f"part-{number:03d}.{ending}", "JPEG", quality=88)
    (inbox / "part-unreadable.jpg").write_bytes(b"\xff\xd8\xff this is no picture")


def _write_annotations(out: Path, images: list[dict[str, object]], boxes: list[dict[str, object]], seed: int) -> None:
    document = {
        "info": {
            "description": f"Rendered metal tags with scratches, seed {seed}; no photographs.",
            "origin": "rendered",
        },
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 1, "name": "scratch"}],
    }
    part = out / "annotations.json.part"
    part.write_text(json.dumps(document))
    part.replace(out / "annotations.json")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lineside.pipeline.render", description="Render labelled tags.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=240, help="labelled pictures")
    parser.add_argument("--groups", type=int, default=24, help="plates, at least 3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--light", type=float, default=1.0, help="share of the usual light")
    parser.add_argument("--zigzag", type=float, default=0.0, help="share of the marks that are zigzags")
    wanted = parser.parse_args()
    if wanted.groups < 3 or wanted.count < wanted.groups:
        parser.error("at least 3 plates, and a picture of each")
    render(wanted.out, wanted.count, wanted.seed, wanted.groups, light=wanted.light, zigzag=wanted.zigzag)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
