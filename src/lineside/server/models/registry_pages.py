"""Pages of what is kept about model versions: comparisons, evaluations and cards, and forms of aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.compared import ModelsCompared
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import Estimate, Side, Slice
from lineside.contract.people import Permission
from lineside.contract.registry import EditCard, PointAlias, RemoveAlias
from lineside.server.adapters.objects import ObjectStore
from lineside.server.models import drawing
from lineside.server.models.aliases import Aliases
from lineside.server.models.cards import Cards
from lineside.server.models.comparing import Comparing
from lineside.server.models.evaluations import read_evaluation
from lineside.server.models.mistakes import mistakes
from lineside.server.models.service import ModelsService
from lineside.server.web.forms import form
from lineside.server.web.render import AnyRequest, Page, fragment, page, see

_SLICES = 24  # on a page


class AliasForm(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of aliases sends; numbers as text, because an empty field is one, too."""

    alias: str
    version: int
    expected: str = ""
    reason: str = ""


class CardForm(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of a card sends."""

    notes: str = ""
    revision: int = 0
    reason: str = ""


@get("/models/compare", sync_to_thread=True, include_in_schema=False)
def compare_page(
    request: AnyRequest, a: FromQuery[str], b: FromQuery[str], comparing: NamedDependency[Comparing]
) -> Page:
    """Two versions side by side, drawn."""
    found = comparing.compare(a, b)
    datasets = found.a.lineage.dataset, found.b.lineage.dataset
    widest = _widest(found)
    return page(
        request,
        "models/compare.html",
        here="/models",
        found=found,
        dataset_differs=None not in datasets and datasets[0] != datasets[1],
        scores=[(one, drawing.span(one.a), drawing.span(one.b)) for one in found.scores],
        classes=[(one, drawing.span(one.difference, -widest, widest)) for one in found.classes],
        widest=widest,
        certain=any(one.difference and one.difference.low is not None for one in found.classes),
        gates=[(one.name, [(gate, gate and drawing.gate(gate)) for gate in (one.a, one.b)]) for one in found.gates],
        pictures=[(one, mistakes(one.truth, one.a), mistakes(one.truth, one.b)) for one in found.pictures],
        charts=drawing.curves(found.curves),
    )


@get("/models/{name:str}/{version:int}/evaluation", sync_to_thread=True, include_in_schema=False)
def evaluation_part(
    name: FromPath[str],
    version: FromPath[int],
    models: NamedDependency[ModelsService],
    objects: NamedDependency[ObjectStore],
    comparing: NamedDependency[Comparing],
) -> Page:
    """What the evaluation of a version says, and how it was trained, for its page, which asks for it by itself."""
    model = models.get(name, version)
    evaluation = read_evaluation(objects, model)
    return fragment(
        "models/evaluated.html",
        model=model,
        evaluation=evaluation,
        drawn=[_drawn(side) for side in (evaluation.sides if evaluation else ())],
        threshold=drawing.threshold(evaluation.threshold if evaluation else None),
        cheapest=drawing.cheapest(evaluation.threshold if evaluation else None),
        slices_shown=_SLICES,
        charts=drawing.training(comparing.curves(model)),
    )


@get("/models/{name:str}/{version:int}/card", sync_to_thread=True, include_in_schema=False)
def card_part(
    name: FromPath[str], version: FromPath[int], models: NamedDependency[ModelsService], cards: NamedDependency[Cards]
) -> Page:
    """The card of a version, for its page."""
    return fragment("models/card.html", **_card(models, cards, name, version))


@form("/models/{name:str}/{version:int}/card", Permission.OPERATE)
def edit_card(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    data: URLEncodedBody[CardForm],
    models: NamedDependency[ModelsService],
    cards: NamedDependency[Cards],
) -> Page | Redirect:
    """Write notes, then look; when others wrote meanwhile, theirs are shown beside what was to be written."""
    try:
        cards.edit(name, version, EditCard(notes=data.notes, revision=data.revision, reason=data.reason))
    except LinesideError as error:
        values = _card(models, cards, name, version) | {"refusal": error.report(), "draft": data.notes}
        return page(request, "models/card_page.html", here="/models", status=int(error.kind), **values)
    return see(f"/models/{name}/{version}")


@form("/models/{name:str}/aliases", Permission.OPERATE)
def point_alias(name: FromPath[str], data: URLEncodedBody[AliasForm], aliases: NamedDependency[Aliases]) -> Redirect:
    """Point an alias at a version, then look."""
    expected = int(data.expected) if data.expected.isdecimal() else None
    aliases.point(name, data.alias.strip(), PointAlias(version=data.version, expected=expected, reason=data.reason))
    return see(f"/models/{name}")


@form("/models/{name:str}/aliases/{alias:str}/remove", Permission.OPERATE)
def remove_alias(
    name: FromPath[str], alias: FromPath[str], data: URLEncodedBody[RemoveAlias], aliases: NamedDependency[Aliases]
) -> Redirect:
    """Take an alias away, then look."""
    aliases.remove(name, alias, data)
    return see(f"/models/{name}")


class _Drawn(msgspec.Struct, frozen=True):
    """A side of an evaluation with its estimates as spans; `all` is the score of all, in per cent."""

    side: Side
    all: float
    classes: list[tuple[object, drawing.Span | None]]
    slices: list[tuple[object, drawing.Span | None]]


def _drawn(side: Side) -> _Drawn:
    whole = drawing.span(side.map)
    return _Drawn(
        side,
        whole.at if whole else 0.0,
        [(one, drawing.span(one.map)) for one in side.classes],
        [(one, drawing.span(one.map)) for one in _worst_first(side)],
    )


def _worst_first(side: Side) -> Sequence[Slice]:
    """As they are when all can be shown, else the worst."""
    if len(side.slices) <= _SLICES:
        return side.slices
    return sorted(side.slices, key=lambda one: one.map.value)


def _widest(found: ModelsCompared) -> float:
    """The largest difference there is, to draw all on one scale."""
    ends = [abs(end) for one in found.classes for end in _ends(one.difference)]
    return max([*ends, 0.05])


def _ends(one: Estimate | None) -> tuple[float, ...]:
    return () if one is None else (one.value, one.low or 0.0, one.high or 0.0)


def _card(models: ModelsService, cards: Cards, name: str, version: int) -> dict[str, Any]:
    card = cards.get(name, version)
    return {
        "model": models.get(name, version),
        "card": card,
        "text": _html(card.text),
        "history": cards.history(name, version),
        "refusal": None,
        "draft": card.notes,
    }


def _html(text: str) -> str:
    """No HTML of its own and no pictures from elsewhere: notes are people's, names in them may be anybody's."""
    from markdown_it import MarkdownIt  # when the first card is shown

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(text))


routes = [
    compare_page,
    evaluation_part,
    card_part,
    edit_card,
    point_alias,
    remove_alias,
]
