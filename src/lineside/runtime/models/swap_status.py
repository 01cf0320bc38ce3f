"""How the swap of a followed model stands: in `status.json`, which the probe reads. Imports no numpy."""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.errors import ErrorReport


class SwapState(enum.Enum):
    """Where a swap stands."""

    LOADING = "loading"  # the model before goes on deciding
    DONE = "done"
    REFUSED = "refused"  # the model before goes on deciding, and a restart would not help
    UNUSED = "unused"  # no model of this process is of that component


class SwapStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`folder`: of the model that is wanted."""

    folder: str
    state: SwapState
    error: ErrorReport | None = None
