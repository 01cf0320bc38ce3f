"""The audit trail."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "audit.no_export",
        Kind.REFUSED,
        "{file} is no export of an audit trail: {why}.",
        "Name a file that this wrote: lineside audit export -o FILE",
    ),
)
