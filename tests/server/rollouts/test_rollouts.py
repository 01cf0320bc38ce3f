"""Rollouts over a real database, with devices that report what the test says."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from sqlalchemy.orm.exc import StaleDataError

from lineside.contract.deployment import ComponentSpec, DeploymentDocument, DeploymentPolicies
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase
from lineside.contract.rollout import DeviceProgress, RolloutPlan, RolloutState
from lineside.server.components.service import Components
from lineside.server.components.testing import KnownModels, model_version, release
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import GroupRow
from lineside.server.loops.rollouts import RolloutLoop
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.store import RolloutRow
from lineside.server.rollouts.testing import Fleet
from lineside.server.rollouts.waves import waves_of
from lineside.server.services import Core

NAMES = ("a", "b", "c", "d", "e")
WAVES = waves_of(NAMES, RolloutPlan(), {})
CANARY = next(name for name, wave in WAVES.items() if wave == 0)
OTHERS = sorted(set(NAMES) - {CANARY})


class Plant:
    """One group, released models, and the loop run by hand."""

    def __init__(self, core: Core) -> None:
        self.core, self.fleet = core, Fleet(core)
        desired, self.components = DesiredDocuments(core), Components(core)
        self.rollouts = Rollouts(core, desired, self.components)
        self.deployments = Deployments(core, self.components, KnownModels(), self.rollouts)
        self.tick = RolloutLoop(core.database, self.rollouts).step

    def release(self, version: int) -> None:
        with self.core.database.write() as session:
            model = model_version(self.core.objects, version)
            self.components.stage(session, self.components.package(session, model))
            release(self.components, session, model)

    def deploy(self, version: int, group: str = "line", policy: str = "ROLLBACK") -> str:
        document = DeploymentDocument(
            group_name=group,
            components={
                "tags.model": ComponentSpec(component_version=f"{version}.0.0"),
                "tags.inference": ComponentSpec(component_version="0.1.0"),
            },
            deployment_policies=DeploymentPolicies(failure_handling_policy=policy),
        )
        with self.core.database.write() as session:
            return self.deployments.create(session, document).rollout

    def show(self, rollout: str):
        with self.core.database.read() as session:
            return self.rollouts.show(session, rollout)

    def devices(self, rollout: str):
        with self.core.database.read() as session:
            return {one.device: one for one in self.rollouts.device_page(session, rollout).devices}

    def answer(self, *names: str, phase: Phase = Phase.HEALTHY, **more) -> None:
        for name in names:
            self.fleet.report(name, phase, **more)
        self.tick()

    def runs(self, name: str) -> str | None:
        versions = {one.name: one.version for one in self.fleet.desired(name).components}
        return versions.get("tags.model")

    def kinds(self) -> list[str]:
        with self.core.database.read() as session:
            page = self.core.events.page(session, before=None, kind="rollout", limit=100)
        return [event.kind for event in reversed(page.events)]


@pytest.fixture
def plant(core: Core) -> Plant:
    made = Plant(core)
    made.fleet.join(*NAMES)
    made.release(1)
    made.release(2)
    return made


def succeed(plant: Plant, version: int) -> str:
    rollout = plant.deploy(version)
    plant.tick()
    plant.answer(CANARY)
    plant.answer(*OTHERS)
    assert plant.show(rollout).state is RolloutState.SUCCEEDED
    return rollout


def test_the_canary_is_told_first_and_the_others_when_it_is_healthy(plant):
    rollout = plant.deploy(1)
    assert plant.show(rollout).state is RolloutState.PENDING
    plant.tick()
    assert plant.runs(CANARY) == "1.0.0"
    assert [plant.runs(name) for name in OTHERS] == [None] * 4
    shown = plant.show(rollout)
    assert (shown.state, shown.wave, shown.waves) == (RolloutState.RUNNING, 0, 2)
    assert shown.gates[0].passed is None
    plant.answer(CANARY)
    assert [plant.runs(name) for name in OTHERS] == ["1.0.0"] * 4
    plant.answer(*OTHERS)
    done = plant.show(rollout)
    assert done.state is RolloutState.SUCCEEDED
    assert {one.progress for one in plant.devices(rollout).values()} == {DeviceProgress.HEALTHY}
    assert [gate.passed for gate in done.gates] == [True, True]
    assert [(move.current, move.wanted) for move in done.history] == [
        ("pending", "running"),
        ("running", "running"),
        ("running", "succeeded"),
    ]
    assert plant.kinds() == ["rollout.started", "rollout.wave_opened", "rollout.succeeded"]
    assert done.finished_at is not None


def test_a_rollout_waits_for_silent_devices(plant):
    rollout = plant.deploy(1)
    plant.tick()
    plant.answer(CANARY)
    plant.answer(*OTHERS[:3])
    plant.tick()
    shown = plant.show(rollout)
    assert shown.state is RolloutState.RUNNING
    assert plant.devices(rollout)[OTHERS[3]].progress is DeviceProgress.NOTIFIED


def test_an_idle_tick_writes_nothing(plant):
    plant.deploy(1)
    plant.tick()
    before = plant.fleet.desired(CANARY), plant.kinds()
    plant.tick()
    assert (plant.fleet.desired(CANARY), plant.kinds()) == before


def test_a_failed_canary_is_sent_back_and_the_others_never_hear_of_it(plant):
    succeed(plant, 1)
    rollout = plant.deploy(2)
    plant.tick()
    plant.answer(CANARY, phase=Phase.ROLLED_BACK, code="artifact.digest_mismatch")
    shown = plant.show(rollout)
    assert shown.state is RolloutState.ROLLING_BACK
    assert plant.devices(rollout)[CANARY].error.code == "artifact.digest_mismatch"
    assert plant.runs(CANARY) == "1.0.0"
    plant.answer(CANARY)
    failed = plant.show(rollout)
    assert failed.state is RolloutState.FAILED
    assert failed.gates[0].passed is False
    assert {plant.runs(name) for name in NAMES} == {"1.0.0"}
    assert {plant.fleet.desired(name).revision for name in OTHERS} == {1}
    assert "rollout.device_failed" in plant.kinds()
    assert failed.note.startswith("a gate tripped: 'failed in wave 1' is 100.0 %, over its limit of 20.0 %")
    assert failed.note.endswith("; 1 device is back on what worked before")
    (why,) = failed.failures
    assert (why.devices, why.device, why.error.code) == (1, CANARY, "artifact.digest_mismatch")


def test_healthy_at_another_digest_trips_the_gate(plant):
    rollout = plant.deploy(1)
    plant.tick()
    plant.answer(CANARY, digest="sha256:" + "0" * 64)
    shown = plant.show(rollout)
    assert shown.state is RolloutState.ROLLING_BACK
    assert plant.devices(rollout)[CANARY].error.code == "rollout.not_as_wanted"


def test_without_an_earlier_deployment_a_failed_wave_goes_back_to_nothing(plant):
    rollout = plant.deploy(1)
    plant.tick()
    plant.answer(CANARY)
    plant.answer(*OTHERS[:2], phase=Phase.FAILED)
    assert plant.show(rollout).state is RolloutState.ROLLING_BACK
    assert {plant.runs(name) for name in NAMES} == {None}
    plant.answer(*NAMES[:4], phase=Phase.IDLE)
    assert plant.show(rollout).state is RolloutState.ROLLING_BACK
    plant.answer(NAMES[4], phase=Phase.IDLE)
    assert plant.show(rollout).state is RolloutState.FAILED


def test_do_nothing_leaves_devices_where_they_are(plant):
    rollout = plant.deploy(1, policy="DO_NOTHING")
    plant.tick()
    plant.answer(CANARY, phase=Phase.FAILED)
    assert plant.show(rollout).state is RolloutState.FAILED
    assert plant.runs(CANARY) == "1.0.0"


def test_a_newer_deployment_supersedes_the_one_under_way(plant):
    first = plant.deploy(1)
    plant.tick()
    second = plant.deploy(2)
    assert plant.show(first).state is RolloutState.SUPERSEDED
    plant.tick()
    assert plant.runs(CANARY) == "2.0.0"
    plant.answer(CANARY)
    plant.answer(*OTHERS)
    assert plant.show(second).state is RolloutState.SUCCEEDED


def test_the_same_document_is_the_same_deployment_until_it_failed(plant):
    first = succeed(plant, 1)
    revisions = {plant.fleet.desired(name).revision for name in NAMES}
    assert plant.deploy(1) == first
    plant.tick()
    assert {plant.fleet.desired(name).revision for name in NAMES} == revisions
    second = plant.deploy(2)
    with plant.core.database.write() as session:
        plant.rollouts.abort(session, second)
    assert plant.deploy(2) != second


def test_going_back_to_an_earlier_document_is_a_new_deployment(plant):
    first = succeed(plant, 1)
    succeed(plant, 2)
    again = plant.deploy(1)
    assert again != first
    plant.tick()
    assert plant.runs(CANARY) == "1.0.0"


def test_an_aborted_rollout_tells_nobody_else(plant):
    rollout = plant.deploy(1)
    plant.tick()
    with plant.core.database.write() as session:
        assert plant.rollouts.abort(session, rollout, "ana").state is RolloutState.ABORTED
    plant.answer(CANARY)
    assert [plant.runs(name) for name in OTHERS] == [None] * 4
    with pytest.raises(LinesideError, match=r"state\.illegal_move"), plant.core.database.write() as session:
        plant.rollouts.abort(session, rollout)


def test_a_device_that_joins_later_follows_what_succeeded(plant):
    succeed(plant, 1)
    plant.fleet.join("late")
    plant.tick()
    assert plant.runs("late") == "1.0.0"
    with plant.core.database.read() as session:
        assert plant.core.events.page(session, before=None, kind="device.follows", limit=1).total == 1


def test_a_device_that_joins_while_a_rollout_runs_is_in_its_last_wave(plant):
    rollout = plant.deploy(1)
    plant.tick()
    plant.fleet.join("late")
    plant.tick()
    assert plant.runs("late") is None
    plant.answer(CANARY)
    assert plant.runs("late") == "1.0.0"
    plant.answer(*OTHERS)
    assert plant.show(rollout).state is RolloutState.RUNNING
    plant.answer("late")
    assert plant.show(rollout).state is RolloutState.SUCCEEDED


def test_a_newcomer_after_a_failure_follows_what_worked_before(plant):
    succeed(plant, 1)
    plant.deploy(2)
    plant.tick()
    plant.answer(CANARY, phase=Phase.ROLLED_BACK)
    plant.fleet.join("late")
    plant.answer(CANARY)
    plant.tick()
    assert plant.runs("late") == "1.0.0"


def test_an_empty_group_waits_for_its_first_device(plant):
    plant.fleet.join("gone", group="empty")
    plant.fleet.revoke("gone")
    rollout = plant.deploy(1, group="empty")
    plant.tick()
    assert plant.show(rollout).state is RolloutState.PENDING
    plant.fleet.join("first", group="empty")
    plant.tick()
    plant.answer("first")
    assert plant.show(rollout).state is RolloutState.SUCCEEDED


def test_a_revoked_device_no_longer_holds_a_rollout(plant):
    rollout = plant.deploy(1)
    plant.tick()
    plant.fleet.revoke(CANARY)
    plant.tick()
    assert len(plant.devices(rollout)) == 4
    (canary,) = (one.device for one in plant.devices(rollout).values() if one.wave == 0)
    assert plant.runs(canary) == "1.0.0"
    plant.answer(canary)
    plant.answer(*(name for name in OTHERS if name != canary))
    assert plant.show(rollout).state is RolloutState.SUCCEEDED


def test_a_device_in_two_groups_runs_what_both_want(plant):
    with plant.core.database.write() as session:
        session.add(GroupRow(device=CANARY, group="cell"))
    succeed(plant, 1)
    with plant.core.database.write() as session:
        model = model_version(plant.core.objects, 1, name="bolts")
        plant.components.package(session, model)
        release(plant.components, session, model)
        document = DeploymentDocument(
            group_name="cell", components={"bolts.model": ComponentSpec(component_version="1.0.0")}
        )
        plant.deployments.create(session, document)
    plant.tick()
    names = {one.name for one in plant.fleet.desired(CANARY).components}
    assert names == {"tags.model", "tags.inference", "bolts.model"}


def test_a_stale_writer_loses(plant):
    """Compare-and-set: two processes that read the same state cannot both move it (PostgreSQL has no single writer)."""
    rollout = plant.deploy(1)
    with pytest.raises(StaleDataError):
        _abort_behind(plant, rollout)
    assert plant.show(rollout).state is RolloutState.PENDING


def test_an_unknown_rollout_is_not_found(plant):
    for name in ("rollout-9", "deployment-1", "rollout-x", "x"):
        with pytest.raises(LinesideError, match=r"request\.not_found"):
            plant.show(name)


def _abort_behind(plant: Plant, rollout: str) -> None:
    """Abort from a session in which another writer changed the row after it was read."""
    with plant.core.database.write() as session:
        row = session.get_one(RolloutRow, int(rollout.rpartition("-")[2]))
        newer = update(RolloutRow).values(revision=RolloutRow.revision + 1)
        session.execute(newer.execution_options(synchronize_session=False))
        plant.rollouts.abort(session, row.id)
