"""How well and how fast photographs of one thing are found again when nobody says which belong together.

python -m benchmarks.grouping [--images 10000] [--data DIR] [--quick] [--json]

`ari` is the adjusted Rand index of the groups found in a real labelled folder (`--data`, COCO with `group`; metal-tags
by default) whose groups are not told. `ms_per_image` and `recall` are of made-up pictures: things photographed five
times, shifted, lit differently and noisy, once with scenes of their own and once on one line where all look alike; the
slower and the worse of the two count. `recall`: of the near-duplicates that comparing with all others finds, for a
sample, the share that the index finds. One process, one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measure import finish, table
from lineside.contract.ids import digest_of
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.pictures.correlating import correlations
from lineside.server.datasets.pictures.decoding import look_at
from lineside.server.datasets.pictures.near_duplicates import judge, pairs
from lineside.server.datasets.pictures.patches import Patch, patch
from lineside.server.datasets.splitting import Seen, divide

SHOTS = 5
"""Photographs of each made-up thing."""

METAL_TAGS = Path(__file__).parents[2] / "shared" / "data" / "metal-tags"

_WIDTH, _HEIGHT, _REACH = 180, 120, 9  # pixels of a photograph, and how far it may be displaced
_OWN = {"own scenes": 1.0, "one line": 0.45}  # how much of a picture is the thing's own


class Figures(NamedTuple):
    """What one set of made-up pictures came to."""

    name: str
    ms_per_image: float
    recall: float
    ari: float


def adjusted_rand(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Hubert and Arabie, Comparing Partitions, 1985: 1 is the same grouping, 0 is chance."""
    both = sum(comb(n, 2) for n in Counter(zip(one, other, strict=True)).values())
    a, b = (sum(comb(n, 2) for n in Counter(labels).values()) for labels in (one, other))
    chance = a * b / comb(len(one), 2)
    return (both - chance) / ((a + b) / 2 - chance)


def photographs(count: int, own: float) -> Iterator[Image.Image]:
    """Made-up pictures, `SHOTS` of each thing one after the other; `own` of each is the thing, the rest is the line."""
    random = np.random.default_rng(1)
    line = _surface(random)
    for at in range(count):
        if at % SHOTS == 0:
            thing = own * _surface(random) + (1 - own) * line
        down, right = random.integers(0, 2 * _REACH, 2)
        seen = thing[down : down + _HEIGHT, right : right + _WIDTH]
        light = random.uniform(0.7, 1.2) + np.linspace(0, random.uniform(-0.3, 0.3), _WIDTH)
        noisy = seen * light + random.normal(0, 4, seen.shape)
        yield Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _surface(random: np.random.Generator) -> NDArray[np.float64]:
    """Blotches of three sizes, grey levels around 128."""
    height, width = _HEIGHT + 2 * _REACH, _WIDTH + 2 * _REACH
    layers = (
        Image.fromarray(random.normal(0, 1, (height // size, width // size)).astype(np.float32), "F").resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for size in (4, 9, 20)
    )
    return 128 + 25 * np.sum([np.asarray(layer) for layer in layers], axis=0)


def grouped(patches: Sequence[Patch]) -> list[str | None]:
    """The groups that an import without groups gives."""
    seen = [Seen(str(at), digest_of(b"%d" % at), one, None, None) for at, one in enumerate(patches)]
    return list(divide(seen, Warnings()).groups)


def recall(patches: Sequence[Patch], sample: int) -> float:
    """Of the near-duplicates of some pictures, compared with all others, the share that the index finds."""
    likely = pairs(patches)
    level, _ = judge(len(patches), likely)
    found = {(pair.first, pair.second) for pair in likely}
    everybody, true = np.arange(len(patches)), set()
    for first in np.random.default_rng(2).choice(len(patches), sample, replace=False).tolist():
        for start in range(0, len(patches), 500):
            others = everybody[start : start + 500]
            close = others[correlations(patches, np.full(len(others), first), others) >= level]
            true |= {(min(first, other), max(first, other)) for other in close.tolist() if other != first}
    return len(true & found) / max(1, len(true))


def made_up(name: str, count: int, sample: int) -> Figures:
    """Groups `count` made-up pictures, timed."""
    pictures = list(photographs(count, _OWN[name]))
    start = time.process_time()
    patches = [patch(picture) for picture in pictures]
    groups = grouped(patches)
    took = time.process_time() - start
    things = [at // SHOTS for at in range(count)]
    return Figures(name, took / count * 1e3, recall(patches, sample), adjusted_rand(things, groups))


def real(folder: Path) -> float:
    """The adjusted Rand index between the groups a folder names and those found without their names."""
    images = json.loads((folder / "annotations.json").read_bytes())["images"]
    looks = [look_at((folder / "images" / image["file_name"]).read_bytes()) for image in images]
    patches = [look.patch for look in looks if look is not None]
    return adjusted_rand([image["group"] for image in images], grouped(patches))


def main() -> None:
    """Prints the table, and what counts as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="made-up pictures")
    parser.add_argument("--data", type=Path, default=METAL_TAGS, help="a COCO folder with groups")
    parser.add_argument("--quick", action="store_true", help="a smaller sample for the recall")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    asked = parser.parse_args()
    figures = [made_up(name, asked.images, 10 if asked.quick else 100) for name in _OWN]
    rows = [("made-up pictures", "ms an image", "recall", "adjusted Rand index")]
    rows += [(one.name, f"{one.ms_per_image:.2f}", f"{one.recall:.3f}", f"{one.ari:.3f}") for one in figures]
    print(table(rows))
    report: dict[str, object] = {
        "ari": round(real(asked.data), 4) if asked.data.is_dir() else None,
        "ari_made_up": round(min(one.ari for one in figures), 4),
        "ms_per_image": round(max(one.ms_per_image for one in figures), 2),
        "recall": round(min(one.recall for one in figures), 4),
        "images": asked.images,
    }
    finish(report, as_json=asked.json)


if __name__ == "__main__":
    main()
