"""The first decision of every start: that this control plane runs, in which version, told what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import lineside
from lineside.contract.overview import Need
from lineside.server.access.trail import AuditTrail
from lineside.server.services import Core
from lineside.server.settings import Settings

_PRIVATE = ("database_url", "worker")  # may hold a password


def record_start(core: Core) -> tuple[Need, ...]:
    """Write the start down; what a person should look at when the trail did not end as it was left."""
    wrong = AuditTrail(core).ending()
    with core.database.write() as session:
        why = ", ".join(_told(core.settings)) or "no setting changed"
        core.audit.record(session, "control-plane.start", f"lineside {lineside.__version__}", why=why)
    if wrong is None:
        return ()
    what = f"The audit trail does not end as it was left. {wrong.what}"
    return (Need(what=what, href="/audit", command="lineside audit verify"),)


def _told(settings: Settings) -> Iterator[str]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value != field.default:
            yield f"{field.name} is set" if field.name in _PRIVATE else f"{field.name}={value}"
