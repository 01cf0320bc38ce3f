"""Model cards: a generated part that nobody edits, and notes that people do, each revision kept with who and why."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.dataset import DatasetVersion
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelVersion
from lineside.contract.registry import MOST_NOTES, CardEdit, CardHistory, EditCard, ModelCard
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.datasets.service import DatasetsService
from lineside.server.models import store
from lineside.server.models.card import generated
from lineside.server.models.evaluations import read_evaluation
from lineside.server.models.service import ModelsService
from lineside.server.models.store import CardEditRow
from lineside.server.services import Core


class Cards:
    """Cards of model versions."""

    def __init__(self, core: Core, models: ModelsService, datasets: DatasetsService) -> None:
        self._core, self._models, self._datasets = core, models, datasets

    def get(self, name: str, version: int) -> ModelCard:
        """The card as it is now. Raises `request.not_found`."""
        with self._core.database.read() as session:
            model = self._models.find(session, name, version)
            notes = store.newest_card_edit(session, name, version)
        return self._card(model, notes)

    def history(self, name: str, version: int, before: int | None = None, limit: int = 20) -> CardHistory:
        """A page of the revisions of its notes, newest first. Raises `request.not_found`."""
        with self._core.database.read() as session:
            self._models.find(session, name, version)
            return store.card_edits(session, name, version, before, limit)

    def edit(self, name: str, version: int, request: EditCard) -> ModelCard:
        """Put new notes in the place of those the caller has read; the same notes again change nothing.

        Raises `request.not_found`, `request.invalid`, `model.card_changed`.
        """
        notes = request.notes.replace("\r\n", "\n").strip()
        if len(notes) > MOST_NOTES:
            raise LinesideError("request.invalid", why=f"notes have at most {MOST_NOTES} characters")
        with self._core.database.write() as session:
            model = self._models.find(session, name, version)
            before = store.newest_card_edit(session, name, version)
            revision = before.revision if before else 0
            if request.revision != revision:
                raise LinesideError(
                    "model.card_changed", model=model.label, current=revision, expected=request.revision
                )
            if notes != (before.notes if before else ""):
                before = self._add(session, model, revision + 1, notes, request.reason.strip())
        return self._card(model, before)

    def _add(self, session: Session, model: ModelVersion, revision: int, notes: str, why: str) -> CardEdit:
        row = CardEditRow(
            name=model.name,
            version=model.version,
            revision=revision,
            at=rfc3339(self._core.clock.now()),
            by=current().name,
            why=why,
            notes=notes,
        )
        session.add(row)
        said = f"revision {revision}" + (f": {why}" if why else "")
        message = f"The card of {model.label} has new notes, {said.rstrip('.')}."
        self._core.events.record(session, kind="model.card_edited", subject=model.label, message=message)
        self._core.audit.record(session, "model.card", model.label, digest=model.digest, why=said)
        return row.value()

    def _card(self, model: ModelVersion, notes: CardEdit | None) -> ModelCard:
        text = generated(model, self._dataset(model), read_evaluation(self._core.objects, model))
        if notes is None:
            return ModelCard(model=model.name, version=model.version, generated=text)
        return ModelCard(
            model=model.name,
            version=model.version,
            generated=text,
            notes=notes.notes,
            revision=notes.revision,
            at=notes.at,
            by=notes.by,
        )

    def _dataset(self, model: ModelVersion) -> DatasetVersion | None:
        if model.lineage.dataset is None:
            return None
        try:
            return self._datasets.version(model.lineage.dataset)
        except LinesideError:
            return None
