"""Operations of people's API about model versions, their aliases and their cards."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.compared import ModelsCompared
from lineside.contract.evaluation import EvaluateModel
from lineside.contract.model import Decision, ImportModel, ModelVersion, RegisterModel
from lineside.contract.registry import (
    Alias,
    AliasHistory,
    CardHistory,
    EditCard,
    ModelCard,
    ModelPage,
    PointAlias,
    RemoveAlias,
)
from lineside.contract.run import Run


class Models(Calls):
    """Model versions, names for them, and what is written about them."""

    def register_model(self, model: RegisterModel) -> ModelVersion:
        """For workers: register what a run made; the same content again answers with the version that is there."""
        return self.connection.call("POST", "/models", ModelVersion, body=model)

    def import_model(self, request: ImportModel) -> Run:
        """Start a run that checks and registers a model trained elsewhere; its file was sent as a blob before."""
        return self.connection.call("POST", "/models/import", Run, body=request)

    def evaluate_model(self, name: str, version: int, request: EvaluateModel) -> Run:
        """Start a run that scores a version on a dataset version; see `lineside.client.evaluating` for a folder."""
        return self.connection.call("POST", path("models", name, version, "evaluate"), Run, body=request)

    def model_page(
        self,
        *,
        name: str = "",
        q: str = "",
        states: str = "",
        dataset: str = "",
        before: int | None = None,
        limit: int = 100,
    ) -> ModelPage:
        """Versions, newest first: of one model, with `q` in the name, in one of `states` (commas between),
        made from a dataset version. `before` is `next` of the page before."""
        query = {"name": name, "q": q, "states": states, "dataset": dataset, "before": before, "limit": limit}
        return self.connection.call("GET", "/models", ModelPage, query=query)

    def models(self, *, name: str = "", q: str = "", states: str = "", dataset: str = "") -> list[ModelVersion]:
        """All of them, page by page; see `model_page`."""
        page = self.model_page(name=name, q=q, states=states, dataset=dataset, limit=500)
        found = list(page.models)
        while page.next is not None:
            page = self.model_page(name=name, q=q, states=states, dataset=dataset, before=page.next, limit=500)
            found += page.models
        return found

    def model(self, name: str, version: int) -> ModelVersion:
        """One model version."""
        return self.connection.call("GET", path("models", name, version), ModelVersion)

    def find_model(self, reference: str) -> ModelVersion:
        """The version that `NAME:VERSION`, `NAME@ALIAS` or `NAME` (its newest) means now."""
        return self.connection.call("GET", path("models", reference), ModelVersion)

    def compare_models(self, a: str, b: str) -> ModelsCompared:
        """Two versions side by side, by reference (`NAME:VERSION`, `NAME@ALIAS`); differences are b minus a."""
        return self.connection.call("GET", "/models/compare", ModelsCompared, query={"a": a, "b": b})

    def retire_model(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Put a version away for good that was gated out, failed on its twins or was rejected."""
        return self.connection.call("POST", path("models", name, version, "retire"), ModelVersion, body=decision)

    # --- aliases --------------------------------------------------------------------------------------------------

    def aliases(self, name: str) -> list[Alias]:
        """The aliases of a model; `champion` and `latest` are always among them."""
        return self.connection.call("GET", path("models", name, "aliases"), list[Alias])

    def alias_history(self, name: str, alias: str, *, before: int | None = None, limit: int = 100) -> AliasHistory:
        """Moves of an alias, newest first; `before` is `next` of the page before."""
        route, query = path("models", name, "aliases", alias, "history"), {"before": before, "limit": limit}
        return self.connection.call("GET", route, AliasHistory, query=query)

    def point_alias(self, name: str, alias: str, request: PointAlias) -> Alias:
        """Point an alias at a version, if it is where `expected` says."""
        return self.connection.call("POST", path("models", name, "aliases", alias), Alias, body=request)

    def remove_alias(self, name: str, alias: str, request: RemoveAlias) -> Alias:
        """Take an alias away, if it is where `expected` says; answers where it was."""
        return self.connection.call("POST", path("models", name, "aliases", alias, "remove"), Alias, body=request)

    # --- cards ----------------------------------------------------------------------------------------------------

    def model_card(self, name: str, version: int) -> ModelCard:
        """The card of a version."""
        return self.connection.call("GET", path("models", name, version, "card"), ModelCard)

    def edit_card(self, name: str, version: int, request: EditCard) -> ModelCard:
        """Write notes in the place of those at `revision`."""
        return self.connection.call("POST", path("models", name, version, "card"), ModelCard, body=request)

    def card_history(self, name: str, version: int, *, before: int | None = None, limit: int = 20) -> CardHistory:
        """Revisions of a card's notes, newest first; `before` is `next` of the page before. At most 100 at once."""
        route, query = path("models", name, version, "card", "history"), {"before": before, "limit": limit}
        return self.connection.call("GET", route, CardHistory, query=query)
