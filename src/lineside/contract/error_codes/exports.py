"""What can be wrong with a file that a component exports."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "export.too_large",
        Kind.TOO_LARGE,
        "An export of {size} bytes is over the limit of {limit} bytes.",
        "Export smaller files, or raise export_bytes.",
    ),
    Problem(
        "export.id_taken",
        Kind.CONFLICT,
        "The export {id} was announced before with other contents.",
        "Give each export an id of its own.",
    ),
    Problem(
        "export.budget_spent",
        Kind.TOO_MANY,
        "{device} has announced {count} exports in a day, as many as it may.",
        "Try again tomorrow, or raise exports_per_day.",
    ),
)
