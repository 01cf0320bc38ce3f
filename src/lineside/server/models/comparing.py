"""Compares two model versions, with what is kept about them elsewhere: evaluations, pictures, training curves."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.contract.compared import ModelsCompared
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelVersion
from lineside.contract.run import CurvePoint
from lineside.server.models import beside
from lineside.server.models.aliases import Aliases
from lineside.server.models.beside import Side
from lineside.server.models.evaluations import read_evaluation, read_predictions
from lineside.server.runs.service import RunsService
from lineside.server.services import Core


class Comparing:
    """Two versions side by side."""

    def __init__(self, core: Core, aliases: Aliases, runs: RunsService) -> None:
        self._core, self._aliases, self._runs = core, aliases, runs

    def compare(self, a: str, b: str) -> ModelsCompared:
        """Two versions by reference (`NAME:VERSION`, `NAME@ALIAS`), of one model or of two.

        Raises `request.invalid`, `request.not_found`.
        """
        ours, theirs = self._side(self._aliases.find(a)), self._side(self._aliases.find(b))
        return ModelsCompared(
            a=ours.model,
            b=theirs.model,
            same_test=beside.same_test(ours, theirs),
            scores=beside.scores(ours, theirs),
            classes=beside.classes(ours, theirs),
            gates=beside.gates(ours.model, theirs.model),
            variants=beside.variants(ours.model, theirs.model),
            differing=beside.differing(ours.model, theirs.model),
            curves=beside.curves(ours, theirs),
            pictures=beside.pictures(ours, theirs),
        )

    def curves(self, model: ModelVersion) -> Sequence[CurvePoint]:
        """The training curves of the run that made a version; none of one that was imported."""
        if model.lineage.run is None:
            return ()
        try:
            return self._runs.curves(model.lineage.run)
        except LinesideError:  # a run of another control plane
            return ()

    def _side(self, model: ModelVersion) -> Side:
        objects = self._core.objects
        return Side(model, read_evaluation(objects, model), read_predictions(objects, model), self.curves(model))
