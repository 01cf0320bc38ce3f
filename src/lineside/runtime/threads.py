"""How many threads a model may be given; without numpy, for the command line."""

from __future__ import annotations

from typing import Annotated

import msgspec

MOST_THREADS = 256
Threads = Annotated[int, msgspec.Meta(ge=0, le=MOST_THREADS)]
"""0: the cores this process may use."""
