"""A component that follows another takes up its new versions while it runs, and goes back with it when they fail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.agent.updating.installed import Attempt, ComponentSet, Outcome, document_of
from lineside.agent.updating.plan import plan
from lineside.agent.updating.prints import fingerprints, with_configuration
from lineside.contract.configuration import FOLLOWS_KEY, follows
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.recipes.recipe import Recipe
from lineside.contract.reported import Phase
from tests.agent import test_plan
from tests.agent.agents import AgentProcess
from tests.agent.components import artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.test_plan import ERROR, NOTHING, current, kinds, one, wanted
from tests.eventually import PATIENCE, eventually

FOLLOWING: dict[str, Any] = {FOLLOWS_KEY: ["base"]}
RECIPES = test_plan.RECIPES | {
    "user1": msgspec.structs.replace(test_plan.RECIPES["user1"], default_configuration=FOLLOWING)
}
BEFORE, AFTER = wanted("user1", "base1", revision=1), wanted("user1", "base2")


def following(desired: Desired, configuration: Mapping[str, Any] = FOLLOWING) -> ComponentSet:
    """The set in which `user`, which cannot do without `base`, follows it."""
    items = tuple(
        one(item.recipe_digest, **(configuration if item.name == "user" else {})) for item in desired.components
    )
    return ComponentSet(document=document_of(desired), revision=desired.revision, components=items)


GOOD = following(BEFORE)
HAVE = ("user1", "base1", "base2")


def steps_of(**more: Any) -> list[str]:
    trial = Attempt(wanted=following(AFTER), tries=1)
    recipes = {digest: RECIPES[digest] for digest in HAVE}
    facts = {"good": GOOD, "have": HAVE, "recipes": recipes, "attempt": trial, "begun": True, **of(GOOD)}
    return kinds(plan(current(**(facts | more)), AFTER))


def of(running: ComponentSet, recipes: Mapping[str, Recipe] = RECIPES) -> dict[str, Any]:
    return {"running": fingerprints(running, recipes)}


def test_a_new_version_of_what_it_follows_is_told_and_restarts_nothing() -> None:
    assert steps_of() == ["Stop base", "Start base", "Configure user", "Settle", "Commit"]


def test_it_goes_back_in_the_same_way() -> None:
    failed = Outcome(document=document_of(AFTER), revision=2, error=ERROR)
    assert steps_of(attempt=None, begun=False, outcome=failed, **of(following(AFTER))) == [
        "Stop base",
        "Start base",
        "Configure user",
    ]


@pytest.mark.parametrize("configuration", [{}, {FOLLOWS_KEY: []}, {FOLLOWS_KEY: "base"}, {FOLLOWS_KEY: ["other"]}])
def test_one_that_does_not_say_so_is_restarted(configuration: dict[str, Any]) -> None:
    good, new = following(BEFORE, configuration), following(AFTER, configuration)
    assert steps_of(good=good, attempt=Attempt(wanted=new, tries=1), **of(good))[:2] == ["Stop user", "Stop base"]


def test_one_whose_recipe_does_not_say_so_is_restarted_whatever_its_configuration_has_kept() -> None:
    recipes = {digest: test_plan.RECIPES[digest] for digest in HAVE}
    assert steps_of(recipes=recipes, **of(GOOD, recipes))[:2] == ["Stop user", "Stop base"]


def test_whatever_else_changes_restarts_it() -> None:
    for configuration in ({**FOLLOWING, "speed": 2}, {}):
        new = Attempt(wanted=following(AFTER, configuration), tries=1)
        assert steps_of(attempt=new)[:2] == ["Stop user", "Stop base"]
    recipes = RECIPES | {"user1": msgspec.structs.replace(RECIPES["user1"], dependencies={})}
    unneeded = following(AFTER)  # what it does not depend on cannot be followed
    assert fingerprints(unneeded, recipes)["user"] == fingerprints(following(BEFORE), recipes)["user"]


def test_a_configuration_of_its_own_leaves_what_it_follows_in_the_fingerprint() -> None:
    changed = following(AFTER, {**FOLLOWING, "speed": 2})
    before = fingerprints(following(AFTER), RECIPES)["user"]
    after = with_configuration(before, {**FOLLOWING, "speed": 2})
    assert after == fingerprints(changed, RECIPES)["user"] != before


def test_only_a_list_of_names_is_followed_and_only_of_those_in_the_recipe() -> None:
    two: dict[str, Any] = {FOLLOWS_KEY: ["a", 3, "b"]}
    assert follows(two, two) == {"a", "b"}
    assert follows(two, {FOLLOWS_KEY: ["b", "c"]}) == {"b"}
    for other in ({}, {FOLLOWS_KEY: "ab"}, {FOLLOWS_KEY: {"a": 1}}):
        assert follows(two, other) == follows(other, two) == frozenset()
    assert current(NOTHING).running == {}


FOLLOWER = """
import json, os, sys, time
from pathlib import Path
print("begun", flush=True)
known = None
while True:
    folder = json.loads(Path(os.environ["LINESIDE_FOLLOWED"]).read_text())["files"]
    if folder != known:
        known = folder
        Path("failed").unlink(missing_ok=True)
        text = (Path(folder) / "text.txt").read_text()
        if text == "late":
            time.sleep(4)  # longer than the soak
        Path("taken").write_text(text)
        print("taken", text, flush=True)
        if text == "late":  # what it works on shows only later that it cannot
            time.sleep(1)
            Path("failed").touch()
    time.sleep(0.05)
"""
PROBE = """
echo "probed ${LINESIDE_SETTLING:-}" >> asked
[ ! -e failed ] || exit 2
for turn in $(seq 250); do
    wanted=$(cat "$(sed 's/.*:"\\(.*\\)".*/\\1/' "$LINESIDE_FOLLOWED")/text.txt")
    taken=$(cat taken 2>/dev/null)
    if [ "$taken" = "$wanted" ]; then [ "$taken" != bad ] || exit 2; exit 0; fi
    sleep 0.1
done
exit 1
"""


def files(plane: ControlPlane, version: str, text: str) -> dict[str, Any]:
    """A component of one file, and nothing to run."""
    entry = artifact("text.txt", plane.add_blob(text.encode()))
    made = recipe("files", version, artifacts=[entry])
    made["Manifests"][0]["Lifecycle"] = {}
    return made


def follower(plane: ControlPlane, folder: Path) -> DesiredComponent:
    """A component that follows `files`, and says what it has taken up."""
    script = folder / "follower.py"
    script.write_text(FOLLOWER)
    return plane.release(
        recipe(
            configuration={FOLLOWS_KEY: ["files"]},
            dependencies={"files": ">=1.0.0"},
            Run=f'exec "$LINESIDE_PYTHON" -I {script}',
            Probe=PROBE,
        )
    )


def test_a_real_component_follows_without_a_restart_and_goes_back(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    app, first = follower(plane, tmp_path), plane.release(files(plane, "1.0.0", "one"))
    revision = plane.want(app, first)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    folder = agent.paths.artifacts("files", "2.0.0")
    plane.wait_report(plane.want(app, plane.release(files(plane, "2.0.0", "two"))), Phase.HEALTHY)
    assert said(agent) == ["begun", "taken one", "taken two"]
    assert json.loads((agent.paths.work("app") / "followed.json").read_text()) == {"files": str(folder)}
    plane.wait_report(plane.want(app, plane.release(files(plane, "3.0.0", "bad"))), Phase.ROLLED_BACK)
    eventually(lambda: said(agent)[-2:] == ["taken bad", "taken two"])
    assert said(agent).count("begun") == 1


def test_one_that_fails_within_the_soak_of_what_it_took_up_goes_back(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    app, first = follower(plane, tmp_path), plane.release(files(plane, "1.0.0", "one"))
    revision = plane.want(app, first, soak_seconds=3.0)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    asked = (agent.paths.work("app") / "asked").read_text().splitlines()
    assert {*asked[:-1]} == {"probed "}
    assert asked[-1] == "probed 1"
    revision = plane.want(app, plane.release(files(plane, "2.0.0", "late")))
    plane.wait_report(revision, Phase.HEALTHY, Phase.ROLLED_BACK)
    assert plane.wait_report(revision, Phase.HEALTHY, Phase.ROLLED_BACK).phase is Phase.ROLLED_BACK
    eventually(lambda: said(agent) == ["begun", "taken one", "taken late", "taken one"])


def test_killed_in_the_middle_the_agent_goes_on_with_the_new_version(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    app, first = follower(plane, tmp_path), plane.release(files(plane, "1.0.0", "one"))
    revision = plane.want(app, first)
    process = agent.start(crash_at="component.configured")
    plane.wait_report(revision, Phase.HEALTHY)
    revision = plane.want(app, plane.release(files(plane, "2.0.0", "two")))
    assert process.wait(PATIENCE) == 137
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    eventually(lambda: said(agent)[-1] == "taken two")


def said(agent: AgentProcess) -> list[str]:
    """What the component has said: `begun`, and `taken` with a word."""
    return re.findall(r"\b(begun|taken \w+)$", agent.paths.log("app").read_text(), re.MULTILINE)
