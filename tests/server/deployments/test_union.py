"""Several deployments on one device: a version that all allow, or a refusal that names the groups."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.deployment import ComponentSpec, ConfigurationUpdate, RunWith
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.versions import parse_version, satisfies
from lineside.server.deployments.resolution import resolve
from lineside.server.deployments.union import Wish, unite
from tests.server.deployments.test_resolution import Shelf

GROUPS = ("line", "cell", "plant")


def wish(shelf: Shelf, group: str, **asked: str | ComponentSpec) -> Wish:
    """What a group's deployment comes to by itself."""
    specs = {
        name: said if isinstance(said, ComponentSpec) else ComponentSpec(component_version=said)
        for name, said in asked.items()
    }
    requirements = {name: spec.component_version for name, spec in specs.items()}
    return Wish(group=group, components=resolve(specs, shelf), asked=requirements)


def versions(shelf: Shelf, *wishes: Wish) -> dict[str, str]:
    return {name: spec.component_version for name, spec in unite(wishes, shelf).items()}


SHELF = Shelf(
    a={"1.0.0": {}, "1.5.0": {}, "2.0.0": {}, "2.5.0": {"b": "^1.0.0"}},
    b={"1.0.0": {}, "1.1.0": {}, "2.0.0": {}},
)


def test_a_requirement_comes_to_the_newest_version_that_meets_it():
    assert versions(SHELF, wish(SHELF, "line", a="^1.0.0")) == {"a": "1.5.0"}
    assert versions(SHELF, wish(SHELF, "line", a=">=1.0.0")) == {"a": "2.5.0", "b": "1.1.0"}


def test_a_requirement_gives_way_to_what_something_else_in_the_document_needs():
    shelf = Shelf(a={"1.0.0": {"b": "<2.0.0"}}, b={"1.9.0": {}, "2.0.0": {}})
    assert versions(shelf, wish(shelf, "line", a="1.0.0", b=">=1.0.0")) == {"a": "1.0.0", "b": "1.9.0"}


def test_a_device_in_two_groups_runs_everything_that_both_name():
    both = versions(SHELF, wish(SHELF, "line", a="1.0.0"), wish(SHELF, "cell", b="2.0.0"))
    assert both == {"a": "1.0.0", "b": "2.0.0"}


def test_requirements_are_intersected():
    both = versions(SHELF, wish(SHELF, "line", a=">=1.5.0"), wish(SHELF, "cell", a="<2.0.0"))
    assert both == {"a": "1.5.0"}


def test_a_device_is_not_moved_because_something_newer_was_released():
    one, other = wish(SHELF, "line", a="^1.0.0"), wish(SHELF, "cell", a="*")
    newer = Shelf(a=SHELF.components["a"] | {"1.6.0": {}}, b=SHELF.components["b"])
    assert versions(newer, one, other) == {"a": "1.5.0"}


def test_a_version_neither_came_to_is_used_when_only_that_will_do():
    shelf = Shelf(a={"1.0.0": {}, "2.0.0": {}, "3.0.0": {}})
    either = wish(shelf, "line", a="1.0.0 || 3.0.0"), wish(shelf, "cell", a="1.0.0 || 2.0.0")
    assert versions(shelf, *either) == {"a": "1.0.0"}


def test_requirements_that_exclude_one_another_name_both_groups_and_both_requirements():
    pair = wish(SHELF, "line", a="^1.0.0"), wish(SHELF, "cell", a="^2.0.0")
    with pytest.raises(LinesideError) as refused:
        versions(SHELF, wish(SHELF, "plant", a="*"), *pair)
    assert refused.value.code == "deployment.conflict"
    assert refused.value.message == (
        "The groups line and cell want what does not go together: of a, line asks for ^1.0.0, cell asks for ^2.0.0."
    )


def test_what_one_group_needs_and_another_names_is_a_conflict_too():
    with pytest.raises(LinesideError, match=r"groups cell and line .*a 2\.5\.0 needs b \^1\.0\.0") as refused:
        versions(SHELF, wish(SHELF, "line", a="2.5.0"), wish(SHELF, "cell", b="2.0.0"))
    assert refused.value.code == "deployment.conflict"


def spec(**merge: object) -> ComponentSpec:
    return ComponentSpec(component_version="1.0.0", configuration_update=ConfigurationUpdate(merge=merge))


def test_configurations_are_put_together_where_they_agree():
    one = wish(SHELF, "line", a=spec(camera={"fps": 5}, topic="x"))
    other = wish(SHELF, "cell", a=spec(camera={"gain": 2}, topic="x"))
    assert unite([one, other], SHELF)["a"].configuration_update.merge == {
        "camera": {"fps": 5, "gain": 2},
        "topic": "x",
    }


@pytest.mark.parametrize(("mine", "theirs"), [(5, 6), (1, True), ({"x": 1}, 5), ([1], [1, 2])])
def test_two_values_for_one_key_are_a_conflict(mine, theirs):
    one, other = wish(SHELF, "line", a=spec(camera={"fps": mine})), wish(SHELF, "cell", a=spec(camera={"fps": theirs}))
    with pytest.raises(LinesideError, match=r"groups line and cell .* line sets /camera/fps in its configuration"):
        unite([one, other], SHELF)


def test_two_users_to_run_as_are_a_conflict():
    def run(user: str) -> ComponentSpec:
        return ComponentSpec(component_version="1.0.0", run_with=RunWith(posix_user=user))

    same = unite([wish(SHELF, "line", a=run("ggc")), wish(SHELF, "cell", a=run("ggc"))], SHELF)
    assert same["a"].run_with == RunWith(posix_user="ggc")
    with pytest.raises(LinesideError, match=r"line says runWith, cell says another one"):
        unite([wish(SHELF, "line", a=run("ggc")), wish(SHELF, "cell", a=run("root"))], SHELF)


# --- over all unions ------------------------------------------------------------------------------------------------

RELEASED = ("1.0.0", "1.4.0", "2.0.0", "2.3.0", "3.0.0")
REQUIREMENTS = ("*", "^1.0.0", "^2.0.0", ">=1.4.0 <3.0.0", "1.0.0 || 3.0.0", "<=2.0.0", "2.3.0", "~2.0.0")
ASKED = st.lists(
    st.dictionaries(st.sampled_from(("a", "b", "c")), st.sampled_from(REQUIREMENTS), min_size=1), min_size=1, max_size=3
)


def tried(shelf: Shelf, *wishes: Wish) -> dict[str, str]:
    """Their union, empty when there is none."""
    try:
        return versions(shelf, *wishes)
    except LinesideError as error:
        return {} if error.code == "deployment.conflict" else {"refused": error.code}


@given(ASKED)
def test_a_union_meets_everybody_or_nothing_does(asked: list[dict[str, str]]) -> None:
    """Every requirement holds; what is refused cannot be met; the order of the groups does not matter."""
    shelf = Shelf(**{name: {version: {} for version in RELEASED} for name in ("a", "b", "c")})
    wishes = [wish(shelf, group, **each) for group, each in zip(GROUPS, asked, strict=False)]
    possible = all(
        any(all(satisfies(one, each[name]) for each in asked if name in each) for one in RELEASED)
        for name in {name for each in asked for name in each}
    )
    results = [tried(shelf, *order) for order in itertools.permutations(wishes)]
    assert all(result == results[0] for result in results)
    assert bool(results[0]) is possible
    for name, version in results[0].items():
        assert all(satisfies(version, each[name]) for each in asked if name in each)
    assert results[0].keys() == ({name for each in asked for name in each} if possible else set())


@given(st.sampled_from(REQUIREMENTS), st.sampled_from(REQUIREMENTS))
def test_among_intervals_no_newer_version_would_do(one: str, other: str) -> None:
    shelf = Shelf(a={version: {} for version in RELEASED})
    fitting = [each for each in RELEASED if satisfies(each, one) and satisfies(each, other)]
    if fitting and "||" not in one + other:
        both = versions(shelf, wish(shelf, "line", a=one), wish(shelf, "cell", a=other))
        assert both == {"a": max(fitting, key=parse_version)}
