"""Made-up pictures for a model that comes without any: enough to see that it runs, and always the same."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

_COUNT = 3


def sample_pictures(width: int, height: int) -> list[bytes]:
    """Three PNG pictures of that size in pixels: shaded grounds with rectangles and discs, seeded."""
    return [_picture(np.random.default_rng(seed), width, height) for seed in range(_COUNT)]


def _picture(random: np.random.Generator, width: int, height: int) -> bytes:
    shade = np.linspace(random.integers(40, 90), random.integers(150, 220), width)
    ground = np.broadcast_to(shade[None, :, None], (height, width, 3)) + random.normal(0, 6, (height, width, 3))
    picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for number in range(6):
        x, y = int(random.integers(0, width * 3 // 4)), int(random.integers(0, height * 3 // 4))
        right = x + int(random.integers(width // 12 + 1, width // 4 + 2))
        below = y + int(random.integers(height // 12 + 1, height // 4 + 2))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        (draw.rectangle if number % 2 else draw.ellipse)([x, y, right, below], fill=colour)
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()
