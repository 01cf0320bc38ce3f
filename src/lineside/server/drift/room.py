"""The drift room as the app sees it."""

from __future__ import annotations

from lineside.contract.drift import is_drift
from lineside.server.drift import api, pages
from lineside.server.drift.answering import DriftAnswers
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.looking import DriftLooks
from lineside.server.drift.service import DriftService
from lineside.server.drift.signals import FieldSignals
from lineside.server.services import Core, Loop, Room


def room(core: Core) -> Room:
    """Windows as they arrive by MQTT, what they come to, and what models are worth in the field."""
    drift = DriftService(core)
    field = FieldAccuracies(core)

    def receive(device: str, payload: bytes) -> None:
        if is_drift(payload):
            drift.receive(device, payload)

    return Room(
        services={
            "drift": drift,
            "drift_looks": DriftLooks(core),
            "drift_answers": DriftAnswers(core, drift.judging),
            "field_accuracies": field,
            "field_signals": FieldSignals(core, field),
        },
        people=api.routes,
        pages=pages.routes,
        loops=(Loop("drift", drift.step, seconds=5.0), Loop("drift-tidy", drift.tidy, seconds=3600.0)),
        on_result=receive,
    )
