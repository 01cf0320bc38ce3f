"""Results for users' own systems: in the one version of their schema that no upgrade changes."""

from __future__ import annotations

from collections.abc import Iterable

from lineside.contract.result import Result
from lineside.contract.schema_versions import RESULTS, Schema
from lineside.runtime.spool import Entry


def fixed(entries: Iterable[Entry], schema: Schema[Result] = RESULTS) -> list[Entry]:
    """The same results, see `Schema.fixed`."""
    return [Entry(one.sequence, schema.fixed(one.payload)) for one in entries]
