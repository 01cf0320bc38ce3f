"""The delivery loop and the runner. Leases: test_leases."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest

from lineside.contract.component import AddComponent
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ModelState
from lineside.contract.reported import Phase
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import FolderShelf, Repository
from lineside.server.components.own import OwnComponents
from lineside.server.loops import runner
from lineside.server.loops.lease import Leases
from lineside.server.loops.runner import Runner
from lineside.server.loops.timestamp import TimestampLoop
from lineside.server.services import Loop
from lineside.server.testing import FakeClock
from tests.eventually import PATIENCE
from tests.server.loops.loop_story import House

RECIPE = """
RecipeFormatVersion: "2020-01-25"
ComponentName: NAME
ComponentVersion: VERSION
Manifests: [{Lifecycle: {Run: "true"}}]
"""


@pytest.fixture
def house(tmp_path):
    (tmp_path / "lineside").mkdir()
    (tmp_path / "lineside" / "__init__.py").write_text("")
    made = House(tmp_path / "root", tmp_path / "lineside")
    yield made
    made.close()


def state(house: House, version: int) -> ModelState:
    return house.models.get("tags", version).state


def test_a_candidate_waits_until_a_twin_joins(house):
    house.register()
    house.tick()
    assert state(house, 1) is ModelState.CANDIDATE
    house.join()
    house.tick()
    assert state(house, 1) is ModelState.IN_TWIN
    assert house.fleet.desired("twin").components[0].target.startswith("staging/")
    assert house.fleet.desired("a").components == ()


def test_a_healthy_twin_asks_for_approval_and_names_its_rollout(house):
    house.join()
    house.register()
    house.through_the_twins()
    model = house.models.get("tags", 1)
    assert (model.state, model.twin_rollout) == (ModelState.AWAITING_APPROVAL, "rollout-1")


def test_a_failed_twin_fails_the_model_and_says_why(house):
    house.join()
    house.register()
    house.tick()
    house.fleet.report("twin", Phase.FAILED, code="probe.golden_mismatch")
    house.tick()
    house.answer()
    house.tick()
    house.tick()
    assert state(house, 1) is ModelState.TWIN_FAILED
    assert "probe.golden_mismatch happened" in house.models.history("tags", 1)[-1].why


def test_models_are_tested_one_at_a_time_in_their_order(house):
    house.join()
    house.register(1)
    house.register(2)
    house.tick()
    assert (state(house, 1), state(house, 2)) == (ModelState.IN_TWIN, ModelState.CANDIDATE)
    house.through_the_twins()
    assert (state(house, 1), state(house, 2)) == (ModelState.AWAITING_APPROVAL, ModelState.IN_TWIN)


def test_a_model_whose_component_s_name_is_taken_is_rejected_and_holds_up_nobody(house):
    house.join()
    own = OwnComponents(house.core, house.components, house.approvals)
    recipe = RECIPE.replace("NAME", "tags.model").replace("VERSION", "1.0.0")
    with house.core.database.write() as session:
        own.add(session, own.prepare(AddComponent(recipe=recipe)))
    house.register(1)
    house.register(2)
    house.tick()
    house.tick()
    assert (state(house, 1), state(house, 2)) == (ModelState.REJECTED, ModelState.IN_TWIN)
    assert "tags.model 1.0.0 exists already" in house.models.get("tags", 1).reason


def test_a_model_that_cannot_be_brought_to_the_twins_has_failed_and_holds_up_nobody(house):
    house.join()
    own = OwnComponents(house.core, house.components, house.approvals)
    recipe = RECIPE.replace("NAME", "app").replace("VERSION", "1.0.0")
    recipe += 'ComponentDependencies: {tags.inference: {VersionRequirement: ">=9.0.0", DependencyType: SOFT}}\n'
    with house.core.database.write() as session:
        own.add(session, own.prepare(AddComponent(recipe=recipe)))
        wanted = {"app": ComponentSpec(component_version="1.0.0")}
        house.deployments.create(session, DeploymentDocument(group_name="twins", components=wanted))
    house.tick()
    house.answer()
    house.register(1)
    for _ in range(6):
        house.tick()
        house.answer()
    assert state(house, 1) is ModelState.TWIN_FAILED
    assert "app 1.0.0 needs tags.inference >=9.0.0" in house.models.history("tags", 1)[-1].why
    with house.core.database.read() as session:
        assert house.twin_tests.under_way(session) == []


def test_a_twin_test_that_somebody_deployed_over_has_failed(house):
    house.join()
    house.register()
    house.tick()
    with house.core.database.write() as session:
        house.deployments.create(session, DeploymentDocument(group_name="twins", components={}))
    house.tick()
    assert state(house, 1) is ModelState.TWIN_FAILED


def test_approval_signs_what_the_twin_tested_even_when_the_installed_code_changed(house, tmp_path):
    house.join()
    house.register()
    house.through_the_twins()
    (tmp_path / "lineside" / "__init__.py").write_text("# newer code\n")
    house.models.approve("tags", 1, Decision())
    assert house.components.repository.find("apps/tags.inference-0.1.0.json") is not None
    assert house.components.repository.find("apps/tags.inference-0.1.1.json") is None


def _events(core, kind: str) -> list[str]:
    with core.database.read() as session:
        return [event.message for event in core.events.page(session, before=None, kind=kind, limit=10).events]


def test_a_step_that_fails_is_told_once_and_tried_again(core, clock):
    tried = []

    def step() -> None:
        tried.append(1)
        if len(tried) < 4:
            raise LinesideError("request.invalid", why="the test says so") if len(tried) < 3 else ValueError("odd")

    once = Runner(core, Leases(core.database, clock, "mine"), Loop("test", step)).once
    for _ in range(4):
        once()
    assert len(tried) == 4
    assert [message.split(":")[0] for message in _events(core, "loop.failed")] == ["The loop test tries again"] * 2


def test_the_runner_runs_loops_until_it_is_cancelled(core):
    async def story() -> None:
        both = asyncio.Barrier(3)
        here = asyncio.get_running_loop()

        def step() -> None:
            asyncio.run_coroutine_threadsafe(both.wait(), here).result(PATIENCE)

        loops = [Loop("one", step, seconds=0.01), Loop("two", step, seconds=0.01)]
        running = asyncio.create_task(runner.run(core, loops))
        for _ in range(3):
            await asyncio.wait_for(both.wait(), 10)
        running.cancel()
        await asyncio.wait([running])
        await both.abort()

    asyncio.run(story())


def test_a_loop_is_woken_by_a_commit_and_by_nothing_that_is_undone(core):
    async def story() -> None:
        steps: asyncio.Queue[int] = asyncio.Queue()
        here = asyncio.get_running_loop()
        loop = Loop("slow", lambda: here.call_soon_threadsafe(steps.put_nowait, 1) and None, seconds=3600)
        running = asyncio.create_task(runner.run(core, [loop]))
        await asyncio.wait_for(steps.get(), 10)
        for _ in range(3):
            with core.database.write() as session:
                core.wakes.after_commit(session, "slow")
                core.wakes.after_commit(session, "another")
            await asyncio.wait_for(steps.get(), 10)
        with contextlib.suppress(LinesideError), core.database.write() as session:
            core.wakes.after_commit(session, "slow")
            raise LinesideError("request.invalid", why="it is undone")
        assert steps.empty()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(story())


def test_metadata_is_signed_anew_before_it_expires(core, clock: FakeClock, tmp_path):
    repository = Repository(FolderShelf(tmp_path / "tuf"), KeyFiles(tmp_path / "keys"), clock.now)
    loop = TimestampLoop(core, repository)
    loop.step()
    assert _events(core, "trust.renewed") == []
    clock.advance(timedelta(hours=13).total_seconds())
    loop.step()
    loop.step()
    assert _events(core, "trust.renewed") == ["Signed anew before it expires: timestamp."]
