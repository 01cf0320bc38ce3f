"""People's API of what they keep about model versions: aliases, cards, and comparisons."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.compared import ModelsCompared
from lineside.contract.model import ModelVersion
from lineside.contract.people import Permission
from lineside.contract.registry import Alias, AliasHistory, CardHistory, EditCard, ModelCard, PointAlias, RemoveAlias
from lineside.server.access.permissions import needs
from lineside.server.models.aliases import Aliases
from lineside.server.models.cards import Cards
from lineside.server.models.comparing import Comparing
from lineside.server.models.store import MOST_NUMBER


@get("/models/{name:str}", sync_to_thread=True, summary="The model version that a reference means now")
def find_model(name: FromPath[str], aliases: NamedDependency[Aliases]) -> ModelVersion:
    """`NAME:VERSION`, `NAME@ALIAS`, or `NAME` for its newest version. `champion` is the newest approved version until
    people point it elsewhere; `latest` is always the newest."""
    return aliases.find(name)


@get("/models/compare", sync_to_thread=True, summary="Two model versions side by side")
def compare_models(a: FromQuery[str], b: FromQuery[str], comparing: NamedDependency[Comparing]) -> ModelsCompared:
    """`a` and `b` are references (`NAME:VERSION`, `NAME@ALIAS`); differences are b minus a."""
    return comparing.compare(a, b)


@get("/models/{name:str}/aliases", sync_to_thread=True, summary="The aliases of a model")
def list_aliases(name: FromPath[str], aliases: NamedDependency[Aliases]) -> tuple[Alias, ...]:
    """Those that people set, and `champion` and `latest`, which are always there."""
    return aliases.all(name)


@get("/models/{name:str}/aliases/{alias:str}/history", sync_to_thread=True, summary="The moves of an alias")
def alias_history(
    name: FromPath[str],
    alias: FromPath[str],
    aliases: NamedDependency[Aliases],
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> AliasHistory:
    """Newest first, those before the mark `before`; none of an alias that nobody ever set."""
    return aliases.history(name, alias, before, limit)


@post(
    "/models/{name:str}/aliases/{alias:str}",
    sync_to_thread=True,
    status_code=200,
    summary="Point an alias at a version",
    opt=needs(Permission.OPERATE),
)
def point_alias(
    name: FromPath[str], alias: FromPath[str], data: JSONBody[PointAlias], aliases: NamedDependency[Aliases]
) -> Alias:
    """With `expected` only if it points there now (0: only if it is not there); else `model.alias_moved`."""
    return aliases.point(name, alias, data)


@post(
    "/models/{name:str}/aliases/{alias:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="Take an alias away",
    opt=needs(Permission.OPERATE),
)
def remove_alias(
    name: FromPath[str], alias: FromPath[str], data: JSONBody[RemoveAlias], aliases: NamedDependency[Aliases]
) -> Alias:
    """Answers where it was. `champion` follows the newest approved version again."""
    return aliases.remove(name, alias, data)


@get("/models/{name:str}/{version:int}/card", sync_to_thread=True, summary="The card of a model version")
def model_card(name: FromPath[str], version: FromPath[int], cards: NamedDependency[Cards]) -> ModelCard:
    """Markdown: `generated` is written from what is known, `notes` by people."""
    return cards.get(name, version)


@post(
    "/models/{name:str}/{version:int}/card",
    sync_to_thread=True,
    status_code=200,
    summary="Write the notes of a model card",
    opt=needs(Permission.OPERATE),
)
def edit_card(
    name: FromPath[str], version: FromPath[int], data: JSONBody[EditCard], cards: NamedDependency[Cards]
) -> ModelCard:
    """In the place of the notes at `revision`; when others wrote meanwhile, `model.card_changed`."""
    return cards.edit(name, version, data)


@get("/models/{name:str}/{version:int}/card/history", sync_to_thread=True, summary="The revisions of a card's notes")
def card_history(
    name: FromPath[str],
    version: FromPath[int],
    cards: NamedDependency[Cards],
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
) -> CardHistory:
    """Newest first, those before the revision `before`, with who wrote it and why."""
    return cards.history(name, version, before, limit)


routes = [
    compare_models,
    find_model,
    list_aliases,
    alias_history,
    point_alias,
    remove_alias,
    model_card,
    edit_card,
    card_history,
]
