"""Named points at which a test lets the agent die as if the power went: `LINESIDE_CRASH_AT=<name>`.

The process leaves by `os._exit(137)`: no handler runs and no buffer is flushed, as with kill -9.
"""

from __future__ import annotations

import os

POINTS = (
    "desired.saved",
    "recipe.stored",
    "artifact.part",
    "artifact.stored",
    "stage.built",
    "stage.renamed",
    "stage.recorded",
    "attempt.begun",
    "component.stopped",
    "bootstrapped",
    "component.configured",
    "component.started",
    "settled",
    "committed",
    "failure.recorded",
    "uninstalled",
    "collected",
    "report.queued",
    "instance.torn",
    "instance.written",
    "instance.kept",
    "renewal.key_made",
    "renewal.certified",
    "renewal.proven",
    "renewal.key_promoted",
    "renewal.promoted",
)


def point(name: str) -> None:
    """Die here if the environment says so."""
    if os.environ.get("LINESIDE_CRASH_AT") == name:
        os._exit(137)
