"""Sketches: small, mergeable, private summaries of what a device sees; the baseline a model brings to compare with."""

from __future__ import annotations

import msgspec


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram with fixed edges: `counts[i]` values fell in [edges[i], edges[i+1]); the last bin includes its right
    edge, values outside land in the first or last bin. Two sketches with the same edges merge by adding."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def merged(self, other: Sketch) -> Sketch:
        """Both together. Raises ValueError when the edges differ."""
        if self.edges != other.edges:
            raise ValueError("sketches with different edges cannot be merged")
        return Sketch(edges=self.edges, counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What a model saw on its own test images: one sketch a quantity (`brightness`, `contrast`, `sharpness`,
    `detections`, `confidence`, `box_area`), and the share of each class."""

    schema: str = "lineside.baseline/1"
    images: int
    sketches: dict[str, Sketch]
    classes: dict[str, float] = {}
