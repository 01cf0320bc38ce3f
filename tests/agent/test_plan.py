"""`plan` as a table: what is, what should be, and the steps between."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.agent.updating.installed import Attempt, Component, ComponentSet, Outcome, Package, document_of
from lineside.agent.updating.plan import Current, plan
from lineside.agent.updating.prints import fingerprints
from lineside.contract.deployment import ConfigurationUpdate, UpdatePolicy
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.recipes.recipe import Dependency, Recipe, RecipeArtifact, StepScript

ERROR = ErrorReport(code="component.broken", message="It broke.")


def recipe(name: str, version: str, needs: tuple[str, ...] = ()) -> Recipe:
    """A recipe with one artifact; its digest is `<name><version>`, the artifact's `file-<name><version>`."""
    return Recipe(
        name=name,
        version=version,
        dependencies={other: Dependency(requirement="*") for other in needs},
        lifecycle={"run": StepScript(script="true", timeout=0)},
        artifacts=(RecipeArtifact(uri="lineside:x", name=f"{name}.bin", digest=f"file-{name}{version}"),),
    )


RECIPES = {
    "app1": recipe("app", "1"),
    "app2": recipe("app", "2"),
    "base1": recipe("base", "1"),
    "base2": recipe("base", "2"),
    "user1": recipe("user", "1", ("base",)),
}
for digest, found in list(RECIPES.items()):
    RECIPES[digest] = msgspec.structs.replace(found, version=f"{digest[-1]}.0.0")


def wanted(*digests: str, revision: int = 2, update: dict[str, Any] | None = None, **more: Any) -> Desired:
    components = tuple(
        DesiredComponent(
            name=digest[:-1],
            version=f"{digest[-1]}.0.0",
            target=f"apps/{digest}",
            recipe_digest=digest,
            configuration_update=ConfigurationUpdate(merge=update or {}),
        )
        for digest in digests
    )
    return Desired(device="d", revision=revision, components=components, soak_seconds=1.5, **more)


def one(digest: str, **configuration: Any) -> Component:
    return Component(
        name=digest[:-1],
        version=f"{digest[-1]}.0.0",
        target=f"apps/{digest}",
        recipe_digest=digest,
        configuration=configuration,
    )


def set_of(desired: Desired, **configuration: Any) -> ComponentSet:
    items = tuple(one(item.recipe_digest, **configuration) for item in desired.components)
    return ComponentSet(document=document_of(desired), revision=desired.revision, components=items)


NOTHING = ComponentSet(document="", revision=0)
V1, V2 = wanted("app1", revision=1), wanted("app2")
GOOD1 = set_of(V1)


def current(good: ComponentSet = NOTHING, have: tuple[str, ...] = (), **more: Any) -> Current:
    """A device that has staged `have` and runs `good` (unless `running` says otherwise)."""
    values: dict[str, Any] = {
        "good": good,
        "previous": NOTHING,
        "recipes": {digest: RECIPES[digest] for digest in have},
        "stored": frozenset(have) | {f"file-{digest}" for digest in have},
        "verified": frozenset(f"apps/{digest}" for digest in have),
        "packages": {
            (digest[:-1], f"{digest[-1]}.0.0"): Package(recipe_digest=digest, artifacts={}) for digest in have
        },
        "running": fingerprints(good, RECIPES),
    }
    return Current(**(values | more))


def kinds(steps: list[Any]) -> list[str]:
    """Steps in short: `Kind` or `Kind name`."""
    names = []
    for step in steps:
        about = getattr(step, "component", None)
        name = about.name if about else getattr(step, "name", "")
        names.append(f"{type(step).__name__} {name}".strip())
    return names


TRIAL2 = Attempt(wanted=set_of(V2), tries=1)
FAILED2 = Outcome(document=document_of(V2), revision=2, error=ERROR)

SKIP2 = msgspec.structs.replace(V2, update_policy=UpdatePolicy(action="SKIP_NOTIFY_COMPONENTS"))

TABLE = {
    "wants nothing, runs nothing": (current(good=set_of(wanted(revision=0))), wanted(revision=0), []),
    "all as wanted": (current(GOOD1, ("app1",)), V1, []),
    "new recipe: verify and fetch first": (current(GOOD1, ("app1",)), V2, ["RefreshTrust", "FetchRecipe app"]),
    "known recipe, not verified for this document": (
        current(GOOD1, ("app1", "app2"), verified=frozenset()),
        V2,
        ["RefreshTrust", "FetchRecipe app"],
    ),
    "recipe there, artifact missing": (
        current(GOOD1, ("app1", "app2"), packages={}, stored=frozenset({"app1", "file-app1", "app2"})),
        V2,
        ["Stage app", "FetchArtifact app.bin"],
    ),
    "artifact there, not staged": (
        current(GOOD1, ("app1", "app2"), packages=current(GOOD1, ("app1",)).packages),
        V2,
        ["Stage app", "Notify"],
    ),
    "all staged: what will be stopped is told first": (current(GOOD1, ("app1", "app2")), V2, ["Notify"]),
    "all staged and told": (current(GOOD1, ("app1", "app2"), asked=frozenset({"Notify"})), V2, ["Begin"]),
    "all staged and nobody is to be told": (current(GOOD1, ("app1", "app2")), SKIP2, ["Begin"]),
    "nothing runs: nobody to tell": (current(GOOD1, ("app1", "app2"), running={}), V2, ["Begin"]),
    "trial begun": (
        current(GOOD1, ("app1", "app2"), attempt=TRIAL2, begun=True),
        V2,
        ["Stop app", "Start app", "Settle", "Commit"],
    ),
    "trial broken off by a crash": (
        current(GOOD1, ("app1", "app2"), attempt=TRIAL2, running={}),
        V2,
        ["Begin", "Start app", "Settle", "Commit"],
    ),
    "trial running, only to be settled": (
        current(GOOD1, ("app1", "app2"), attempt=TRIAL2, begun=True, running=fingerprints(TRIAL2.wanted, RECIPES)),
        V2,
        ["Settle", "Commit"],
    ),
    "trial failed: back to what ran": (
        current(GOOD1, ("app1", "app2"), outcome=FAILED2, running=fingerprints(TRIAL2.wanted, RECIPES)),
        V2,
        ["Stop app", "Start app"],
    ),
    "trial failed and all is back: its package goes": (
        current(GOOD1, ("app1", "app2"), outcome=FAILED2),
        V2,
        ["Collect"],
    ),
    "trial failed and its package is gone: tried no more": (
        current(GOOD1, ("app1", "app2"), outcome=FAILED2, packages=current(GOOD1, ("app1",)).packages),
        V2,
        [],
    ),
    "first trial failed: nothing to go back to": (
        current(NOTHING, ("app2",), outcome=FAILED2, running=fingerprints(TRIAL2.wanted, RECIPES)),
        V2,
        ["Stop app"],
    ),
    "failed and held: left as it is": (
        current(
            GOOD1,
            ("app1", "app2"),
            attempt=TRIAL2,
            outcome=msgspec.structs.replace(FAILED2, held=True),
            running=fingerprints(TRIAL2.wanted, RECIPES),
        ),
        V2,
        [],
    ),
    "another document after a failure": (
        current(GOOD1, ("app1", "app2"), outcome=FAILED2),
        wanted("app2", revision=3),
        ["Notify"],
    ),
    "boot with something new to fetch: what ran runs first": (
        current(GOOD1, ("app1",), running={}),
        V2,
        ["Start app", "RefreshTrust", "FetchRecipe app"],
    ),
    "boot": (current(GOOD1, ("app1",), running={}), V1, ["Start app"]),
    "boot after the disk lost a package": (current(GOOD1, ("app1",), running={}, packages={}), V1, ["Stage app"]),
    "boot after the disk lost an artifact": (
        current(GOOD1, ("app1",), running={}, packages={}, stored=frozenset({"app1"})),
        V1,
        ["FetchArtifact app.bin", "Stage app"],
    ),
    "wants nothing any more": (current(GOOD1, ("app1",)), wanted(), ["Notify"]),
    "what is older than the version before is removed": (
        current(set_of(V2), ("app1", "app2", "base1"), previous=GOOD1),
        V2,
        ["Collect"],
    ),
}


@pytest.mark.parametrize("row", TABLE)
def test_plan(row: str) -> None:
    now, desired, expected = TABLE[row]
    assert kinds(plan(now, desired)) == expected


def test_dependencies_start_first_and_stop_last() -> None:
    desired = wanted("user1", "base1")
    trial = Attempt(wanted=set_of(desired), tries=1)
    now = current(NOTHING, ("user1", "base1"), attempt=trial, begun=True)
    assert kinds(plan(now, desired))[:2] == ["Start base", "Start user"]
    stopping = current(set_of(wanted(revision=3)), ("user1", "base1"), running={"base": "x", "user": "y"})
    assert kinds(plan(stopping, wanted(revision=3)))[:2] == ["Stop user", "Stop base"]


def test_a_new_version_of_a_hard_dependency_restarts_its_dependents() -> None:
    before, after = set_of(wanted("user1", "base1")), set_of(wanted("user1", "base2"))
    assert fingerprints(before, RECIPES)["user"] != fingerprints(after, RECIPES)["user"]


def test_a_new_configuration_of_a_dependency_restarts_only_the_dependency() -> None:
    desired = wanted("user1", "base1")
    before = set_of(desired)
    after = msgspec.structs.replace(before, components=(one("user1"), one("base1", speed=2)))
    old, new = fingerprints(before, RECIPES), fingerprints(after, RECIPES)
    assert old["user"] == new["user"]
    assert old["base"] != new["base"]


def test_a_configuration_that_scripts_mention_restarts_them() -> None:
    reads = StepScript(script="echo {base:configuration:/speed}", timeout=0)
    recipes = RECIPES | {"user1": msgspec.structs.replace(RECIPES["user1"], lifecycle={"run": reads})}
    before = set_of(wanted("user1", "base1"))
    after = msgspec.structs.replace(before, components=(one("user1"), one("base1", speed=2)))
    assert fingerprints(before, recipes)["user"] != fingerprints(after, recipes)["user"]


def test_the_trial_starts_from_the_configuration_that_runs() -> None:
    good = msgspec.structs.replace(GOOD1, components=(one("app1", speed=1, kept=True),))
    asked = frozenset({"Validate", "Notify"})
    (begin,) = plan(current(good, ("app1",), asked=asked), wanted("app1", update={"speed": 5}))
    assert begin.wanted.components[0].configuration == {"speed": 5, "kept": True}  # type: ignore[union-attr]


def test_a_dependency_that_is_missing_is_refused_before_anything_is_touched() -> None:
    with pytest.raises(LinesideError, match=r"recipe\.dependency_missing"):
        plan(current(GOOD1, ("app1", "user1")), wanted("user1"))
