"""`plan` for what Greengrass adds: questions, live configuration, Bootstrap, Uninstall, built-ins, runWith."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.agent.updating.installed import Attempt, ComponentSet, Outcome, document_of
from lineside.agent.updating.plan import Facts, plan
from lineside.agent.updating.prints import fingerprints
from lineside.agent.updating.steps import Bootstrap, Configure, Notify, Settle, Uninstall, Validate, brief
from lineside.contract.deployment import ResourceLimits, RunWith, ValidationPolicy
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import ErrorReport
from lineside.contract.recipes.builtin import STREAM_MANAGER, builtin_digest, builtin_recipe, builtin_version
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Dependency, Recipe, StepScript
from tests.agent.test_plan import GOOD1, RECIPES, V1, V2, current, kinds, one, set_of, wanted

ASKED = frozenset({"Validate", "Notify"})


def with_steps(digest: str, **scripts: str) -> dict[str, Recipe]:
    """The recipes, one of them with more lifecycle steps."""
    steps = {key: StepScript(script=text, timeout=1) for key, text in scripts.items()}
    return RECIPES | {digest: msgspec.structs.replace(RECIPES[digest], lifecycle=RECIPES[digest].lifecycle | steps)}


def trial_of(*digests: str, bootstrapped: tuple[str, ...] = (), **configuration: Any) -> Attempt:
    return Attempt(wanted=set_of(wanted(*digests), **configuration), tries=1, bootstrapped=bootstrapped)


def test_a_component_that_runs_is_asked_about_its_new_configuration_before_it_is_told() -> None:
    desired = wanted("app1", update={"speed": 5}, validation_policy=ValidationPolicy(timeout_in_seconds=7))
    steps = plan(current(GOOD1, ("app1",)), desired)
    assert kinds(steps) == ["Validate", "Notify"]
    validate, notify = steps
    assert isinstance(validate, Validate)
    assert isinstance(notify, Notify)
    assert (validate.configurations, validate.seconds) == ({"app": {"speed": 5}}, 7)
    assert (notify.names, notify.document) == (("app",), document_of(desired))
    assert kinds(plan(current(GOOD1, ("app1",), asked=ASKED), desired)) == ["Begin"]


def test_a_document_that_a_component_refused_is_left_alone() -> None:
    error = ErrorReport(code="deploy.configuration_refused", message="No.")
    refused = Outcome(document=document_of(V2), revision=2, error=error, refused=True)
    assert plan(current(GOOD1, ("app1",), outcome=refused), V2) == []
    assert kinds(plan(current(GOOD1, ("app1",), outcome=refused), wanted("app1", revision=9))) == ["Begin"]


def test_only_a_configuration_changed_and_the_component_listens_so_it_is_not_restarted() -> None:
    desired = wanted("app1", update={"speed": 5})
    listening = Facts(listening=frozenset({"app"}))
    assert "Notify" not in kinds(plan(current(GOOD1, ("app1",)), desired, listening))
    trial = Attempt(wanted=set_of(desired, speed=5), tries=1)
    now = current(GOOD1, ("app1",), attempt=trial, begun=True)
    assert kinds(plan(now, desired, listening)) == ["Configure app", "Settle", "Commit"]
    assert kinds(plan(now, desired)) == ["Stop app", "Start app", "Settle", "Commit"]


def test_a_live_change_is_rolled_back_live() -> None:
    desired = wanted("app1", update={"speed": 5})
    failed = Outcome(
        document=document_of(desired), revision=2, error=ErrorReport(code="deploy.soak_timeout", message="")
    )
    ran = fingerprints(set_of(desired, speed=5), RECIPES)
    (step,) = plan(current(GOOD1, ("app1",), outcome=failed, running=ran), desired, Facts(listening=frozenset({"app"})))
    assert isinstance(step, Configure)
    assert step.component.configuration == {}


@pytest.mark.parametrize(
    "change",
    [
        {"run_with": RunWith(posix_user="nobody")},
        {"run_with": RunWith(system_resource_limits=ResourceLimits(memory=1000))},
        {"recipe_digest": "app2"},
    ],
)
def test_any_other_change_restarts_even_a_component_that_listens(change: dict[str, Any]) -> None:
    new = msgspec.structs.replace(one("app1"), **change)
    trial = Attempt(wanted=ComponentSet(document=document_of(V2), revision=2, components=(new,)), tries=1)
    now = current(
        GOOD1,
        ("app1", "app2"),
        attempt=trial,
        begun=True,
        packages={
            ("app", "1.0.0"): msgspec.structs.replace(
                current(GOOD1, ("app1",)).packages["app", "1.0.0"], recipe_digest=new.recipe_digest
            )
        },
    )
    steps = plan(now, V2, Facts(listening=frozenset({"app"})))
    assert kinds(steps)[:2] == ["Stop app", "Start app"]


def test_run_with_travels_from_the_document_into_the_set() -> None:
    limits = RunWith(posix_user="camera", system_resource_limits=ResourceLimits(cpus=0.5))
    desired = msgspec.structs.replace(V2, components=(msgspec.structs.replace(V2.components[0], run_with=limits),))
    (begin,) = plan(current(GOOD1, ("app1", "app2"), asked=ASKED), desired)
    assert begin.wanted.components[0].run_with == limits  # type: ignore[union-attr]


# --- Bootstrap ----------------------------------------------------------------------------------------------------

BOOT2 = with_steps("app2", bootstrap="setup")


def boots(now: Any, desired: Any = V2) -> list[str]:
    return [step.component.name for step in plan(now, desired) if isinstance(step, Bootstrap)]


def test_a_new_version_is_bootstrapped_once_in_a_trial_after_the_old_one_has_stopped() -> None:
    trial = trial_of("app2")
    now = current(GOOD1, ("app1", "app2"), recipes=BOOT2, attempt=trial, begun=True)
    assert kinds(plan(now, V2)) == ["Stop app", "Bootstrap app", "Start app", "Settle", "Commit"]
    after = current(GOOD1, ("app1", "app2"), recipes=BOOT2, running={}, attempt=trial_of("app2", bootstrapped=("app",)))
    assert kinds(plan(after, V2)) == ["Begin", "Start app", "Settle", "Commit"]


def test_the_version_that_runs_is_not_bootstrapped_again_unless_its_script_changed() -> None:
    good = set_of(wanted("app2", revision=1))
    trial = trial_of("app2", speed=9)
    now = current(good, ("app2",), recipes=BOOT2, attempt=trial, begun=True)
    assert boots(now) == []
    changed = msgspec.structs.replace(BOOT2["app2"], lifecycle={"bootstrap": StepScript(script="other", timeout=1)})
    anew = msgspec.structs.replace(trial.wanted.components[0], recipe_digest="app2b")
    trial = Attempt(wanted=msgspec.structs.replace(trial.wanted, components=(anew,)), tries=1)
    packages = {("app", "2.0.0"): msgspec.structs.replace(now.packages["app", "2.0.0"], recipe_digest="app2b")}
    now = current(good, ("app2",), recipes=BOOT2 | {"app2b": changed}, packages=packages, attempt=trial, begun=True)
    assert boots(now) == ["app"]


def test_going_back_bootstraps_nothing() -> None:
    failed = Outcome(
        document=document_of(V2), revision=2, error=ErrorReport(code="deploy.bootstrap_failed", message="")
    )
    recipes = with_steps("app1", bootstrap="setup")
    assert kinds(plan(current(GOOD1, ("app1",), recipes=recipes, outcome=failed, running={}), V2)) == ["Start app"]


# --- Uninstall ----------------------------------------------------------------------------------------------------


def test_a_component_that_left_is_uninstalled_once() -> None:
    recipes = with_steps("app1", uninstall="tidy {configuration:/x}")
    nothing = set_of(wanted(revision=2))
    ran = msgspec.structs.replace(GOOD1, components=(one("app1", x=3),))
    now = current(nothing, ("app1",), recipes=recipes, previous=ran)
    (step,) = plan(now, wanted(revision=2))
    assert isinstance(step, Uninstall)
    assert step.component.configuration == {"x": 3}
    package = msgspec.structs.replace(now.packages["app", "1.0.0"], uninstalled=True)
    now = current(nothing, ("app1",), recipes=recipes, previous=ran, packages={("app", "1.0.0"): package})
    assert plan(now, wanted(revision=2)) == []


def test_a_version_that_made_way_for_another_is_not_uninstalled() -> None:
    recipes = with_steps("app1", uninstall="tidy")
    assert plan(current(set_of(V2), ("app1", "app2"), recipes=recipes, previous=GOOD1), V2) == []


# --- built-in components ------------------------------------------------------------------------------------------


def needing(name: str, hard: bool = True) -> dict[str, Recipe]:
    recipe = msgspec.structs.replace(RECIPES["app2"], dependencies={name: Dependency(requirement="^2.0.0", hard=hard)})
    return RECIPES | {"app2": recipe}


def test_a_built_in_component_that_is_depended_on_is_added_and_needs_no_signature() -> None:
    recipes = needing(STREAM_MANAGER)
    now = current(GOOD1, ("app1", "app2"), recipes=recipes)
    assert kinds(plan(now, V2)) == [f"FetchRecipe {STREAM_MANAGER}"]
    digest, data = builtin_digest(STREAM_MANAGER), builtin_recipe(STREAM_MANAGER)
    assert digest is not None
    assert data is not None
    there = recipes | {digest: read_recipe(data, {"os": "linux"})}
    target = f"builtin/{STREAM_MANAGER}-{builtin_version(STREAM_MANAGER)}.json"
    verified = frozenset({"apps/app1", "apps/app2", target})
    now = current(GOOD1, ("app1", "app2"), recipes=there, verified=verified, asked=ASKED)
    assert kinds(plan(now, V2)) == [f"Stage {STREAM_MANAGER}", "Begin"]


def test_a_recipe_that_was_deployed_here_needs_no_signature_and_one_that_was_not_is_not_believed() -> None:
    item = DesiredComponent(name="app", version="2.0.0", target="local/app-2.0.0", recipe_digest="app2")
    desired = msgspec.structs.replace(V2, components=(item,))
    now = current(GOOD1, ("app1", "app2"), asked=ASKED)
    assert kinds(plan(now, desired, Facts(local=frozenset({"app2"})))) == ["Begin"]
    assert kinds(plan(now, desired)) == ["FetchRecipe app"]  # which refuses it


# --- soak ---------------------------------------------------------------------------------------------------------


def test_the_longest_soak_counts() -> None:
    recipes = RECIPES | {"app2": msgspec.structs.replace(RECIPES["app2"], soak_seconds=30.0)}
    now = current(GOOD1, ("app1", "app2"), recipes=recipes, attempt=trial_of("app2"), begun=True)
    assert [step.seconds for step in plan(now, V2) if isinstance(step, Settle)] == [30.0]
    now = current(set_of(V1), ("app1",), attempt=trial_of("app1"), begun=True)
    assert [step.seconds for step in plan(now, wanted("app1")) if isinstance(step, Settle)] == [1.5]


def test_the_log_tells_steps_without_their_configuration() -> None:
    trial = trial_of("app2", password="hidden")
    steps = plan(current(GOOD1, ("app1", "app2"), attempt=trial, begun=True), V2)
    assert [brief(step) for step in steps] == ["Stop app", "Start app 2.0.0", "Settle 1.5", "Commit"]
