"""Two versions side by side: differences are b minus a, with intervals where one evaluation scored both."""

from __future__ import annotations

import msgspec
import pytest

from lineside.client import Client
from lineside.contract.compared import Differing
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import Estimate
from lineside.contract.ids import digest_of
from lineside.server.models import beside
from lineside.server.models.beside import Side
from lineside.server.models.service import ModelsService
from lineside.server.services import Core
from lineside.server.testing import Running
from tests.server.models.making import comparison, evaluation, found, predictions, put, register, registration

PICTURE = digest_of(b"picture")


def side(core: Core, registry: ModelsService, number: int, **fields: object) -> Side:
    return Side(register(core, registry, number, **fields), None, (), ())


@pytest.mark.sqlite_only
def test_without_evaluations_differences_have_no_interval(core: Core, registry: ModelsService) -> None:
    a, b = side(core, registry, 1), side(core, registry, 3)
    (map_, map50) = beside.scores(a, b)
    assert (map_.a, map_.b) == (Estimate(value=0.51), Estimate(value=0.53))
    assert (map_.side, map_.metric, map50.metric) == ("test", "map", "map50")
    assert map_.difference is not None
    assert (round(map_.difference.value, 6), map_.difference.low) == (0.02, None)
    classes = beside.classes(a, b)
    assert [(one.label, round(one.difference.value, 6)) for one in classes if one.difference] == [
        ("dent", 0.02),
        ("scratch", 0.02),
    ]
    assert not any(one.certain for one in classes)


@pytest.mark.sqlite_only
def test_scores_on_other_test_pictures_have_no_difference(core: Core, registry: ModelsService) -> None:
    elsewhere = msgspec.structs.replace(registration(core).lineage, dataset="ds-2")
    a, b = side(core, registry, 1), side(core, registry, 3, lineage=elsewhere)
    assert not beside.same_test(a, b)
    assert [one.difference for one in (*beside.scores(a, b), *beside.classes(a, b))] == [None] * 4
    assert Differing(name="dataset", a="ds-1", b="ds-2") in beside.differing(a.model, b.model)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", ["test", "val"])
def test_what_was_evaluated_elsewhere_has_no_difference_though_the_lineage_is_one(
    core: Core, registry: ModelsService, name: str
) -> None:
    def judged(number: int, dataset: str | None) -> Side:
        found = evaluation(PICTURE, dataset=dataset or "")
        sides = tuple(msgspec.structs.replace(one, name=name) for one in found.sides)
        scored = msgspec.structs.replace(found, sides=sides) if dataset else None
        return Side(register(core, registry, number), scored, (), ())

    def difference(a: Side, b: Side) -> Estimate | None:
        return next(one for one in beside.scores(a, b) if one.side == name).difference

    assert difference(judged(1, "ds-1"), judged(2, "field-1")) is None
    assert difference(judged(1, "field-1"), judged(2, "field-1")) == Estimate(value=0.0)
    assert difference(judged(1, "field-1"), judged(2, None)) is None


@pytest.mark.sqlite_only
def test_a_comparison_on_the_same_pictures_gives_intervals_whichever_was_the_candidate(
    core: Core, registry: ModelsService
) -> None:
    old, new = register(core, registry, 1), register(core, registry, 2)
    judged = msgspec.structs.replace(
        evaluation(PICTURE), comparisons=(msgspec.structs.replace(comparison(PICTURE, old.label), digest=old.digest),)
    )
    a, b = Side(old, None, (), ()), Side(new, judged, (), ())
    forwards = {one.label: one for one in beside.classes(a, b)}
    assert forwards["dent"].difference == Estimate(value=0.11, low=0.05, high=0.2)
    assert [one.certain for one in forwards.values()] == [True, True]
    backwards = {one.label: one for one in beside.classes(b, a)}
    assert backwards["dent"].difference == Estimate(value=-0.11, low=-0.2, high=-0.05)
    assert beside.scores(b, a)[0].difference == Estimate(value=-0.01, low=-0.04, high=0.02)
    (picture,) = beside.pictures(a, b)
    assert ([one.label for one in picture.a], [one.label for one in picture.b]) == (["scratch"], ["dent"])
    (picture,) = beside.pictures(b, a)
    assert ([one.label for one in picture.a], picture.reason) == (["dent"], "only the candidate finds the dent")


@pytest.mark.sqlite_only
def test_pictures_that_both_answered_lie_side_by_side(core: Core, registry: ModelsService) -> None:
    a = Side(register(core, registry, 1), None, predictions(PICTURE, found("dent", 0.8)).images, ())
    b = Side(register(core, registry, 2), None, predictions(PICTURE).images, ())
    c = Side(register(core, registry, 3), None, predictions(digest_of(b"another")).images, ())
    (picture,) = beside.pictures(a, b)
    assert (len(picture.a), len(picture.b), len(picture.truth)) == (1, 0, 2)
    assert beside.pictures(a, c) == ()


@pytest.mark.sqlite_only
def test_what_they_were_made_with_is_compared_name_by_name(core: Core, registry: ModelsService) -> None:
    lineage = msgspec.structs.replace(registration(core).lineage, parameters={"epochs": 9, "ema": True})
    a, b = register(core, registry, 1), register(core, registry, 2, lineage=lineage)
    assert beside.differing(a, b) == (
        Differing(name="epochs", a=1, b=9),
        Differing(name="size", a="s", b=None),
        Differing(name="ema", a=None, b=True),
    )
    assert beside.differing(a, a) == ()


def test_comparing_over_http(lineside: Running) -> None:
    client, core = Client(lineside.people_url), lineside.core
    shown = put(core, predictions(PICTURE, found("dent", 0.8)))
    client.register_model(registration(core, 1, predictions=shown))
    client.register_model(registration(core, 2, predictions=shown, evaluation=put(core, evaluation(PICTURE))))
    compared = client.compare_models("tags:1", "tags@latest")
    assert (compared.a.label, compared.b.label, compared.same_test) == ("tags:1", "tags:2", True)
    assert [one.name for one in compared.variants] == ["fp32", "int8"]
    assert [(one.name, one.a is not None, one.b is not None) for one in compared.gates] == [("minimum_map", True, True)]
    assert len(compared.pictures) == 1
    for wrong, code in (("tags:9", "request.not_found"), ("tags@x", "request.not_found"), ("?", "request.invalid")):
        with pytest.raises(LinesideError, match=f"^{code}:"):
            client.compare_models("tags:1", wrong)
