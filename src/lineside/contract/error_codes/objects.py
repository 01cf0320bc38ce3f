"""Objects that are kept elsewhere than on the control plane's own disk."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "objects.none", Kind.MISSING, "There are no objects in {folder}.", "Name the root that has them: --root DIR"
    ),
    Problem(
        "objects.away",
        Kind.UNAVAILABLE,
        "The object store {where} cannot be used: {why}.",
        "Is its endpoint up, and is there such a bucket? See docs/objects.md; then try again.",
    ),
    Problem(
        "objects.refused",
        Kind.UNAVAILABLE,
        "The object store {where} does not let the control plane in: {why}.",
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file of LINESIDE_OBJECTS_CREDENTIALS, and start again.",
    ),
)
