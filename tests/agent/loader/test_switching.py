"""When the plan asks for another agent, and what becomes of it; as a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.agent.attention import Attention, RestartAsked
from lineside.agent.loader import loader
from lineside.agent.loader.control import SelfUpdate, folder, install, loader_of, python_by_hand, uninstall
from lineside.agent.paths import Paths
from lineside.agent.updating.installed import Attempt, Component, ComponentSet, Package
from lineside.agent.updating.plan import Current, Facts, plan
from lineside.agent.updating.steps import AwaitAgent, Begin, Commit, Settle, Start, Step, SwitchAgent
from lineside.agent.updating.supplied import AGENT
from lineside.agent.updating.switching import Switching
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import Recipe, RecipeArtifact

NEW = Component(name=AGENT, version="2.0.0", target=f"apps/{AGENT}-2.0.0.json", recipe_digest="new")
RECIPES = {"new": Recipe(name=AGENT, version="2.0.0")}


def steps(good: tuple[Component, ...], attempt: tuple[Component, ...] | None, facts: Facts) -> list[type[Step]]:
    """The kinds of step for a device whose good set and trial are these; the document is that of the trial, if any."""
    document = Desired(device="d", revision=2)
    sets = [
        ComponentSet(document="r1", revision=1, components=good),
        ComponentSet(document="r2-4f53cda18c2b", revision=2, components=attempt or ()),
    ]
    current = Current(
        good=sets[0] if attempt is not None else ComponentSet(document=sets[1].document, revision=2, components=good),
        previous=ComponentSet(document="", revision=0),
        attempt=Attempt(wanted=sets[1], tries=1) if attempt is not None else None,
        recipes=RECIPES,
        stored=frozenset({"new"}),
        packages={(AGENT, "2.0.0"): Package(recipe_digest="new", artifacts={})},
        begun=True,
    )
    return [type(step) for step in plan(current, document, facts)]


@pytest.mark.parametrize(
    ("good", "attempt", "facts", "expected"),
    [
        ((), (NEW,), Facts(agent=""), [SwitchAgent]),
        ((), (NEW,), Facts(agent=None), [SwitchAgent]),
        ((), (NEW,), Facts(agent="", agent_failed="new"), [SwitchAgent]),
        ((), (NEW,), Facts(agent="new", agent_on_trial=True), [Start, Settle, AwaitAgent, Commit]),
        ((), (NEW,), Facts(agent="new"), [Start, Settle, Commit]),
        ((NEW,), (), Facts(agent="new"), [SwitchAgent]),
        ((NEW,), None, Facts(agent="new"), [Start]),
        ((NEW,), None, Facts(agent=""), [SwitchAgent]),
        ((NEW,), None, Facts(agent="", agent_failed="new"), [Start]),
        ((NEW,), None, Facts(agent=None), [Start]),
        ((), None, Facts(agent="new"), [SwitchAgent]),
    ],
    ids=[
        "try-it",
        "no-loader-fails-the-trial",
        "it-failed-before-fails-the-trial",
        "it-is-on-trial-itself",
        "it-runs",
        "leaves-in-a-trial",
        "stays",
        "the-good-one-does-not-run",
        "the-good-one-cannot-run",
        "no-loader",
        "runs-and-is-not-wanted",
    ],
)
def test_which_agent_is_asked_for(
    good: tuple[Component, ...], attempt: tuple[Component, ...] | None, facts: Facts, expected: list[type[Step]]
) -> None:
    assert Begin not in expected
    assert steps(good, attempt, facts) == expected


def under_loader(paths: Paths, digest: str = "") -> SelfUpdate:
    """What an agent has that the loader of a root has started."""
    return SelfUpdate(paths, {"LINESIDE_LOADER": str(folder(paths)), "LINESIDE_AGENT_DIGEST": digest})


def pointer(paths: Paths) -> dict[str, object]:
    """What is to be started."""
    return loader.read(str(folder(paths)), "pointer.json")


def trying(paths: Paths, *, reached: bool) -> SelfUpdate:
    """A new agent, started by the loader after an agent that could reach the control plane, or could not."""
    before = under_loader(paths)
    before.reached(reached)
    python = paths.root / "python"
    python.touch()
    before.switch("2.0.0", "new", python, "r2", 60)
    return under_loader(paths, "new")


def test_a_new_agent_is_confirmed_when_it_reaches_what_the_one_before_could_reach(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    install(paths)
    new = trying(paths, reached=True)
    assert new.on_trial()
    new.opened()
    new.reached(False)
    assert new.on_trial()
    new.reached(True)
    assert not new.on_trial()
    good = pointer(paths)["good"]
    assert isinstance(good, dict)
    assert good["version"] == "2.0.0"
    assert not under_loader(paths, "new").on_trial()


def test_a_control_plane_that_was_away_before_is_not_waited_for(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    install(paths)
    new = trying(paths, reached=False)
    new.opened()
    assert not new.on_trial()


def test_what_failed_is_not_tried_again_for_the_same_document(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    install(paths)
    trying(paths, reached=True)
    loader.write(str(folder(paths)), "pointer.json", loader.give_up(pointer(paths), "it hung"))
    old = under_loader(paths)
    with pytest.raises(LinesideError) as caught:
        old.switch("2.0.0", "new", paths.root / "python", "r2", 60)
    assert caught.value.code == "agent.update_failed"
    assert "it hung" in caught.value.message
    old.switch("2.0.0", "new", paths.root / "python", "r3", 60)
    assert pointer(paths)["trying"]


def test_an_agent_that_is_no_agent_fails_a_trial_and_is_left_alone_outside_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    install(paths)
    switching = Switching(under_loader(paths), paths, Attention())
    bare = Recipe(name=AGENT, version="2.0.0")
    with pytest.raises(LinesideError) as caught:
        switching.switch(SwitchAgent(NEW, "r2"), bare, trial=True)
    assert caught.value.code == "agent.package_invalid"
    gone = RecipeArtifact(uri="lineside:x", name="requirements.txt", digest="d")
    wheel = RecipeArtifact(uri="lineside:x", name="x.whl", digest="d")
    switching.switch(SwitchAgent(NEW, "r2"), Recipe(name=AGENT, version="2.0.0", artifacts=(gone, wheel)), trial=False)
    assert switching.facts()["agent_failed"] == "new"
    with pytest.raises(RestartAsked):
        switching.switch(SwitchAgent(None, "r2"), None, trial=False)


def test_the_loader_is_used_where_it_is_installed_and_not_by_what_it_started(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert loader_of(paths, {}) is None
    command = install(paths)
    assert loader_of(paths, {}) == command
    assert loader_of(paths, {"LINESIDE_LOADER": str(folder(paths))}) is None
    assert python_by_hand({"LINESIDE_LOADER": str(folder(paths))}) == python_by_hand({})
    uninstall(paths)
    assert loader_of(paths, {}) is None
