"""Brings a trained model to its twins, and what they found out to the person who approves.

    candidate ─► (packed, staged, its twin test) in_twin ─► awaiting_approval | twin_failed

One model is with the twins at a time, oldest first. With no twin, candidates wait. Each move is one transaction; the
files written before its commit are the same when they are written again.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.twin import TWINS
from lineside.server.database import Database
from lineside.server.devices.store import devices_in
from lineside.server.models.service import ModelsService
from lineside.server.twins.service import TwinTests

_REFUSALS = ("deployment.", "component.", "recipe.")
"""Errors that stay as long as the model and what the twins run are what they are."""


class DeliveryLoop:
    """Moves models between training and approval."""

    def __init__(self, database: Database, models: ModelsService, tests: TwinTests) -> None:
        self._database, self._models, self._tests = database, models, tests

    def step(self) -> None:
        """Bring the test under way as far as it goes now, then begin the next one."""
        self._advance()
        with self._database.read() as session:
            models = self._next(session)
        for model in models:
            self._begin(model)
            self._advance()

    def _advance(self) -> None:
        with self._database.read() as session:
            under_way = self._tests.under_way(session)
        for label in under_way:
            while self._needs_step(label):
                self._go_on(label)

    def _go_on(self, label: str) -> None:
        try:
            with self._database.write() as session:
                self._tests.step(session, label)
        except LinesideError as error:
            if not error.code.startswith(_REFUSALS):
                raise
            with self._database.write() as session:
                self._tests.fail(session, label, error.message.rstrip("."))

    def _needs_step(self, label: str) -> bool:
        with self._database.read() as session:
            return self._tests.needs_step(session, label)

    def _next(self, session: Session) -> list[ModelVersion]:
        """The model whose turn it is: one that says it is with the twins and is not (an older release began), else the
        oldest candidate."""
        if self._tests.under_way(session) or not devices_in(session, TWINS):
            return []
        in_twin = self._models.versions(session, ModelState.IN_TWIN)[-1:]
        return in_twin or self._models.versions(session, ModelState.CANDIDATE)[-1:]

    def _begin(self, model: ModelVersion) -> None:
        try:
            with self._database.write() as session:
                self._tests.begin(session, model)
        except LinesideError as error:
            if not error.code.startswith(_REFUSALS):
                raise
            with self._database.write() as session:
                self._refused(session, model, error)

    def _refused(self, session: Session, model: ModelVersion, error: LinesideError) -> None:
        """It cannot be brought to the twins; the models behind it must not wait."""
        move, why = self._models.move, error.message
        if error.code == "component.exists":  # a person took the name, for good
            move(session, model.name, model.version, ModelState.REJECTED, why, reason=why)
            return
        if model.state is not ModelState.IN_TWIN:
            move(session, model.name, model.version, ModelState.IN_TWIN, "its twin test begins")
        move(session, model.name, model.version, ModelState.TWIN_FAILED, f"it cannot be brought to the twins: {why}")
