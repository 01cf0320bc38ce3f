"""Rules' events as messages of their own, for who acts on them and needs no detections."""

from __future__ import annotations

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Result, RuleEvent
from lineside.runtime.spool import Entry

_HAS_EVENTS = b'"events":[{'  # within a string of JSON the quotes would be escaped
_result = msgspec.json.Decoder(Result)


def events_of(entry: Entry) -> list[bytes]:
    """One `RuleEvent` as JSON for each rule that fired; none of a result that this release cannot read."""
    if _HAS_EVENTS not in entry.payload:
        return []
    try:
        result = _result.decode(entry.payload)
    except UNREADABLE:
        return []
    return [
        msgspec.json.encode(
            RuleEvent(
                device=result.device,
                source=result.source,
                image=result.image,
                captured_at=result.captured_at,
                sequence=result.sequence,
                name=fired.name,
                action=fired.action,
                why=fired.why,
                late=fired.late or result.late,
                deadline_ms=fired.deadline_ms,
            )
        )
        for fired in result.events
    ]
