"""How a collection is spread: evenly, and what one device cannot give is asked of the others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence


def spread(count: int, devices: Sequence[str], seed: str) -> dict[str, int]:
    """`count` images over devices, as evenly as can be; where there are more devices than images, some by chance."""
    chosen = sorted(devices)
    random.Random(seed).shuffle(chosen)
    chosen = chosen[:count]
    return {name: count // len(chosen) + (index < count % len(chosen)) for index, name in enumerate(chosen)}


def moved(short: int, able: Mapping[str, int]) -> dict[str, int]:
    """Who is asked for how much, when `short` images are asked of `able` devices beside what they are asked already."""
    if not able or short <= 0:
        return {}
    names = sorted(able, key=lambda name: (able[name], name))
    share = {name: short // len(names) + (index < short % len(names)) for index, name in enumerate(names)}
    return {name: able[name] + more for name, more in share.items() if more}
