"""The table of error codes: one row a code, `area.what_is_wrong`, in a file by area.

Add a row to its area's file; `make docs` writes docs/reference/errors.md from them.
"""

from __future__ import annotations

from lineside.contract.error_codes import (
    access,
    agent,
    approvals,
    audit,
    bus,
    ceremonies,
    components,
    data,
    device,
    entering,
    environments,
    exports,
    fleet,
    general,
    inquiries,
    joining,
    keys,
    link,
    local,
    models,
    people,
    recipes,
    rollouts,
    runtime,
    secrets,
    starting,
    supervision,
    updating,
)
from lineside.contract.errors import Problem

_AREAS = (
    bus,
    general,
    starting,
    access,
    audit,
    joining,
    entering,
    people,
    ceremonies,
    data,
    models,
    approvals,
    fleet,
    components,
    rollouts,
    agent,
    recipes,
    runtime,
    device,
    inquiries,
    keys,
    secrets,
    link,
    local,
    supervision,
    updating,
    environments,
    exports,
)

PROBLEMS: dict[str, Problem] = {row.code: row for area in _AREAS for row in area.ROWS}
