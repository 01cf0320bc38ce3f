"""What people do with rollouts, and what plans make of time, over a real database."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase
from lineside.contract.rollout import (
    DeviceProgress,
    GateKind,
    GateRule,
    OfflineAction,
    OfflinePolicy,
    Rate,
    RolloutPlan,
    RolloutState,
    WaveSpec,
    Window,
)
from lineside.server.devices.store import DeviceRow
from lineside.server.overview.service import what_failed
from tests.server.rollouts.test_rollouts import CANARY, NAMES, Plant, succeed

AT_ONCE = RolloutPlan(waves=(WaveSpec(percent=100),), gates=(GateRule(kind=GateKind.FAILED, limit=0.5),))


@pytest.fixture
def plant(core) -> Plant:
    made = Plant(core)
    made.fleet.join(*NAMES)
    made.release(1)
    made.release(2)
    return made


def deploy(plant: Plant, version: int, plan: RolloutPlan) -> str:
    components = {
        "tags.model": ComponentSpec(component_version=f"{version}.0.0"),
        "tags.inference": ComponentSpec(component_version="0.1.0"),
    }
    with plant.core.database.write() as session:
        document = DeploymentDocument(group_name="line", components=components, rollout=plan)
        rollout = plant.deployments.create(session, document).rollout
    plant.tick()
    return rollout


def act(plant: Plant, verb: str, rollout: str) -> RolloutState:
    with plant.core.database.write() as session:
        state = getattr(plant.rollouts, verb)(session, rollout).state
    plant.tick()
    return state


def told(plant: Plant, version: int) -> int:
    return sum(plant.runs(name) == f"{version}.0.0" for name in NAMES)


def test_a_paused_rollout_tells_nobody_and_goes_on_where_it_was(plant):
    rollout = deploy(plant, 1, replace_waves(2))
    assert told(plant, 1) == 2
    act(plant, "pause", rollout)
    plant.answer(*(name for name in NAMES if plant.runs(name)))
    assert (told(plant, 1), plant.show(rollout).note) == (2, "a person holds it")
    assert plant.show(rollout).counts[0].by == {"healthy": 2}
    act(plant, "resume", rollout)
    assert told(plant, 1) == 5
    with pytest.raises(LinesideError, match=r"state\.illegal_move"):
        act(plant, "resume", rollout)


def replace_waves(count: int) -> RolloutPlan:
    return RolloutPlan(waves=(WaveSpec(count=count),))


def test_everything_goes_back_by_hand_also_after_it_succeeded_newcomers_included(plant):
    succeed(plant, 1)
    second = succeed(plant, 2)
    plant.fleet.join("late")
    plant.tick()
    assert plant.runs("late") == "2.0.0"
    assert act(plant, "roll_back", second) is RolloutState.ROLLING_BACK
    assert {plant.runs(name) for name in (*NAMES, "late")} == {"1.0.0"}
    plant.answer(*NAMES, "late")
    ended = plant.show(second)
    assert ended.state is RolloutState.ABORTED
    assert sum(wave.back for wave in ended.counts) == 6
    plant.tick()
    assert {plant.runs(name) for name in (*NAMES, "late")} == {"1.0.0"}  # and nothing brings them forth again


def test_only_the_newest_rollout_of_a_group_goes_back_or_tries_again(plant):
    first = succeed(plant, 1)
    succeed(plant, 2)
    with pytest.raises(LinesideError, match=r"rollout\.not_newest"):
        act(plant, "roll_back", first)


def test_failed_devices_try_again_and_it_succeeds_with_all(plant):
    rollout = deploy(plant, 1, AT_ONCE)
    plant.answer(*NAMES[:4])
    plant.answer(NAMES[4], phase=Phase.ROLLED_BACK, code="artifact.digest_mismatch")
    assert plant.show(rollout).state is RolloutState.SUCCEEDED  # within the limit: it does not wait for ever
    assert plant.devices(rollout)[NAMES[4]].error.code == "artifact.digest_mismatch"
    before = plant.fleet.desired(NAMES[4]).revision
    act(plant, "retry", rollout)
    assert plant.fleet.desired(NAMES[4]).revision == before + 1
    assert plant.show(rollout).state is RolloutState.RUNNING
    plant.answer(NAMES[4])
    done = plant.show(rollout)
    assert (done.state, done.counts[0].by) == (RolloutState.SUCCEEDED, {"healthy": 5})
    with pytest.raises(LinesideError, match=r"rollout\.nothing_failed"):
        act(plant, "retry", rollout)


def test_silent_devices_are_unknown_and_the_deadline_lets_it_proceed(plant, clock):
    offline = OfflinePolicy(action=OfflineAction.PROCEED, percent=60)
    rollout = deploy(plant, 1, replace_plan(AT_ONCE, deadline_seconds=600, offline=offline))
    plant.answer(*NAMES[:4])
    clock.advance(300)
    plant.tick()
    shown = plant.show(rollout)
    assert shown.counts[0].by == {"healthy": 4, "unknown": 1}
    assert "1 unknown (offline)" in shown.note
    clock.advance(301)
    plant.tick()
    done = plant.show(rollout)
    assert done.state is RolloutState.SUCCEEDED
    assert "1 unknown" in done.history[-1].why


def needing(plant: Plant) -> list[str]:
    with plant.core.database.read() as session:
        return [one.id for one in plant.rollouts.failed(session, 10)]


def verbs(plant: Plant, rollout: str) -> tuple[str, ...]:
    with plant.core.database.read() as session:
        return plant.rollouts.verbs(session, rollout)


def test_one_that_a_deadline_stopped_needs_a_person_and_one_that_a_person_stopped_does_not(plant, clock):
    stop = replace_plan(AT_ONCE, deadline_seconds=600, offline=OfflinePolicy(action=OfflineAction.STOP))
    rollout = deploy(plant, 1, stop)
    plant.answer(*NAMES[:4])
    clock.advance(601)
    plant.tick()
    stopped = plant.show(rollout)
    assert (stopped.state, needing(plant)) == (RolloutState.ABORTED, [rollout])
    assert what_failed(stopped).startswith(f"{rollout} to line was stopped: the deadline of wave 1 passed")
    assert verbs(plant, rollout) == ("rollback",)
    second = deploy(plant, 2, stop)
    assert (act(plant, "abort", second), needing(plant)) == (RolloutState.ABORTED, [])
    assert verbs(plant, second) == ("rollback",)  # some were told, and keep what they have


def test_going_back_is_offered_while_anybody_is_left_to_send_back(plant):
    succeed(plant, 1)
    rollout = deploy(plant, 2, AT_ONCE)
    assert "rollback" in verbs(plant, rollout)
    plant.answer(*NAMES, phase=Phase.ROLLED_BACK)
    plant.answer(*NAMES)
    assert (plant.show(rollout).state, needing(plant)) == (RolloutState.FAILED, [rollout])
    assert verbs(plant, rollout) == ()
    left = plant.deploy(2, policy="DO_NOTHING")
    plant.tick()
    plant.answer(CANARY, phase=Phase.FAILED)
    assert plant.show(left).state is RolloutState.FAILED
    assert verbs(plant, left) == ("rollback",)


def replace_plan(plan: RolloutPlan, **more) -> RolloutPlan:
    return msgspec.structs.replace(plan, **more)


def test_healthy_counts_after_the_soak_only_and_a_regression_within_it_trips(plant, clock):
    rollout = deploy(plant, 1, replace_plan(AT_ONCE, soak_seconds=60))
    plant.answer(*NAMES)
    assert plant.show(rollout).counts[0].by == {"soaking": 5}
    clock.advance(30)
    plant.answer(*NAMES[:3], phase=Phase.FAILED)
    assert plant.show(rollout).state is RolloutState.ROLLING_BACK
    other = deploy(plant, 2, replace_plan(AT_ONCE, soak_seconds=60))
    plant.answer(*NAMES)
    clock.advance(61)
    plant.tick()
    assert plant.show(other).state is RolloutState.RUNNING  # time alone is no evidence: nobody was heard of since
    plant.fleet.hear(*NAMES)
    plant.tick()
    assert plant.show(other).state is RolloutState.SUCCEEDED


def test_a_device_that_is_there_and_never_done_has_failed(plant, clock):
    rollout = deploy(plant, 1, replace_plan(AT_ONCE, install_seconds=120))
    plant.answer(*NAMES[:4])
    plant.answer(NAMES[4], phase=Phase.INSTALLING)
    clock.advance(121)
    plant.fleet.hear(*NAMES)
    plant.tick()
    assert plant.show(rollout).state is RolloutState.SUCCEEDED
    assert plant.devices(rollout)[NAMES[4]].error.code == "rollout.too_slow"


def test_not_more_than_the_rate_are_told_within_a_minute(plant, clock):
    rollout = deploy(plant, 1, replace_plan(AT_ONCE, rate=Rate(per_minute=2)))
    assert told(plant, 1) == 2
    plant.tick()
    assert (told(plant, 1), "2 a minute" in plant.show(rollout).note) == (2, True)
    clock.advance(61)
    plant.tick()
    assert told(plant, 1) == 4


def test_devices_are_told_in_a_window_of_their_own_time_zone(plant, clock):
    with plant.core.database.write() as session:
        session.get_one(DeviceRow, NAMES[0]).time_zone = "Asia/Tokyo"  # 09:00 there when it is midnight UTC
    night = (Window(start="08:00", end="10:00"),)
    rollout = deploy(plant, 1, replace_plan(AT_ONCE, windows=night))
    assert [name for name in NAMES if plant.runs(name)] == [NAMES[0]]
    assert "opens at 2026-01-01 08:00 UTC" in plant.show(rollout).note
    clock.advance(8 * 3600)
    plant.tick()
    assert told(plant, 1) == 5


def test_devices_come_as_pages_and_can_be_filtered(plant):
    rollout = deploy(plant, 1, replace_waves(2))
    with plant.core.database.read() as session:
        first = plant.rollouts.device_page(session, rollout, limit=3)
        rest = plant.rollouts.device_page(session, rollout, after=first.next, limit=3)
        waiting = plant.rollouts.device_page(session, rollout, progress=DeviceProgress.WAITING)
        with pytest.raises(LinesideError, match=r"request\.invalid"):
            plant.rollouts.device_page(session, rollout, after="nonsense")
    assert {one.device for one in (*first.devices, *rest.devices)} == set(NAMES)
    assert (first.total, len(first.devices), rest.next) == (5, 3, None)
    assert {one.wave for one in waiting.devices} == {1}
