"""The rollout's state machine: sentences, then everything that may happen to it."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.rollout import ROLLOUT_MOVES, DeviceProgress, RolloutState
from lineside.server.rollouts import machine
from lineside.server.rollouts.machine import FLEET, TWINS, Arrange, Member, Move, OpenWave, SendBack, Tell, View, Wait

WAITING, NOTIFIED, HEALTHY, FAILED = (
    DeviceProgress.WAITING,
    DeviceProgress.NOTIFIED,
    DeviceProgress.HEALTHY,
    DeviceProgress.FAILED,
)


def view(*members: tuple[int, DeviceProgress], state=RolloutState.RUNNING, wave=0, waves=2, **more) -> View:
    made = tuple(Member(device=f"d{n}", wave=of, progress=progress) for n, (of, progress) in enumerate(members))
    return View(state=state, wave=wave, waves=waves, members=made, **more)


def test_one_device_goes_first_and_it_is_always_the_same_one():
    names = [f"station-{n}" for n in range(20)]
    waves = machine.waves_of(names, FLEET)
    assert sorted(waves.values()) == [0] + [1] * 19
    assert machine.waves_of(reversed(names), FLEET) == waves


def test_a_single_device_and_twins_make_one_wave():
    assert machine.waves_of(["only"], FLEET) == {"only": 0}
    assert set(machine.waves_of(["a", "b", "c"], TWINS).values()) == {0}


def test_a_rollout_without_devices_waits_for_the_first_to_join():
    assert machine.next_action(view(state=RolloutState.PENDING)) == Wait()
    begun = machine.next_action(view((0, WAITING), state=RolloutState.PENDING, waves=1))
    assert isinstance(begun, Move)
    assert begun.state is RolloutState.RUNNING


def test_only_the_canary_is_told_first():
    assert machine.next_action(view((0, WAITING), (1, WAITING), (1, WAITING))) == Tell(("d0",))


def test_a_silent_canary_holds_the_rollout():
    assert machine.next_action(view((0, NOTIFIED), (1, WAITING))) == Wait()


def test_a_healthy_canary_opens_the_next_wave_with_the_gates_numbers():
    action = machine.next_action(view((0, HEALTHY), (1, WAITING)))
    assert action == OpenWave(1, "gate 'failed in wave 1' holds: 0% of 1 reported device(s), 0% allowed")


def test_a_failed_canary_trips_the_gate():
    action = machine.next_action(view((0, FAILED), (1, WAITING)))
    assert isinstance(action, Move)
    assert action.state is RolloutState.ROLLING_BACK


def test_a_canary_that_fails_later_trips_the_gate_too():
    action = machine.next_action(view((0, FAILED), (1, HEALTHY), wave=1))
    assert isinstance(action, Move)
    assert action.state is RolloutState.ROLLING_BACK


@pytest.mark.parametrize(("failed", "trips"), [(2, False), (3, True)])
def test_a_fifth_of_the_second_wave_may_fail(failed, trips):
    members = [(0, HEALTHY)] + [(1, FAILED)] * failed + [(1, HEALTHY)] * (10 - failed)
    assert isinstance(machine.next_action(view(*members, wave=1)), Move) == trips


def test_tolerated_failures_are_no_success():
    members = [(0, HEALTHY), (1, FAILED)] + [(1, HEALTHY)] * 9
    assert machine.next_action(view(*members, wave=1)) == Wait()


def test_every_device_healthy_is_success():
    action = machine.next_action(view((0, HEALTHY), (1, HEALTHY), wave=1))
    assert isinstance(action, Move)
    assert action.state is RolloutState.SUCCEEDED


def test_a_canary_that_left_is_replaced():
    assert machine.next_action(view((1, WAITING), (1, WAITING))) == Arrange()


def test_told_devices_are_sent_back_and_the_rollout_fails_when_they_are_there():
    told = view((0, FAILED), (1, NOTIFIED), (1, WAITING), state=RolloutState.ROLLING_BACK, wave=1)
    assert machine.next_action(told) == SendBack(("d0", "d1"))
    going = replace(told, members=tuple(replace(member, back=False) for member in told.members))
    assert machine.next_action(going) == Wait()
    back = replace(told, members=tuple(replace(member, back=True) for member in told.members))
    action = machine.next_action(back)
    assert isinstance(action, Move)
    assert action.state is RolloutState.FAILED


def test_do_nothing_leaves_devices_as_they_are():
    action = machine.next_action(view((0, FAILED), state=RolloutState.ROLLING_BACK, undo=False))
    assert isinstance(action, Move)
    assert action.state is RolloutState.FAILED


@pytest.mark.parametrize(
    "state", [state for state in RolloutState if state.value in ("succeeded", "failed", "aborted")]
)
def test_a_state_that_ended_asks_for_nothing(state):
    assert machine.next_action(view((0, FAILED), (1, WAITING), state=state)) == Wait()


def _apply(seen: View, action: machine.Action) -> View:
    """What the service does in its transaction, without a database."""
    match action:
        case Move(state):
            assert state in ROLLOUT_MOVES[seen.state]
            return replace(seen, state=state)
        case OpenWave(wave):
            assert wave == seen.wave + 1 < seen.waves
            return replace(seen, wave=wave)
        case Tell(devices):
            return _each(seen, devices, progress=NOTIFIED)
        case SendBack(devices):
            return _each(seen, devices, back=False)
        case Arrange():
            waves = machine.waves_of([member.device for member in seen.members], seen.policy)
            moved = tuple(replace(member, wave=waves[member.device]) for member in seen.members)
            return replace(seen, members=moved, waves=max(waves.values()) + 1)
        case _:
            return seen


def _each(seen: View, devices: tuple[str, ...], **change) -> View:
    members = (dataclasses.replace(m, **change) if m.device in devices else m for m in seen.members)
    return replace(seen, members=tuple(members))


def _advance(seen: View) -> View:
    """Act until there is nothing to do; it must end."""
    for _ in range(20):
        action = machine.next_action(seen)
        if action == Wait():
            return seen
        seen = _apply(seen, action)
        _hold(seen)
    raise AssertionError("the machine never comes to rest")


def _hold(seen: View) -> None:
    if seen.state is RolloutState.SUCCEEDED:
        assert seen.members
        assert all(member.progress is HEALTHY for member in seen.members)
    told = [member for member in seen.members if member.progress is not WAITING]
    if seen.wave == 0:
        assert all(member.wave == 0 for member in told)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["healthy", "failed", "installing", "back", "leave"]), st.integers(min_value=0, max_value=9)
    ),
    max_size=40,
)


@given(st.integers(min_value=0, max_value=10), st.sampled_from([FLEET, TWINS]), st.booleans(), _STEPS)
def test_whatever_happens_it_never_succeeds_on_silence_and_an_end_stays_in_reach(count, policy, undo, steps):
    waves = machine.waves_of([f"d{n}" for n in range(count)], policy)
    members = tuple(Member(device=device, wave=wave) for device, wave in waves.items())
    start = View(
        state=RolloutState.PENDING,
        wave=0,
        waves=max(waves.values(), default=0) + 1,
        members=members,
        policy=policy,
        undo=undo,
    )
    seen = _advance(start)
    for what, number in steps:
        seen = _advance(_happen(seen, what, f"d{number}"))
    assert _end(seen) in ("ended", "empty", "tolerated")
    open_states = (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.ROLLING_BACK)
    assert seen.state not in open_states or RolloutState.ABORTED in ROLLOUT_MOVES[seen.state]


def _happen(seen: View, what: str, device: str) -> View:
    if what == "leave":
        return replace(seen, members=tuple(member for member in seen.members if member.device != device))
    told = {member.device: member for member in seen.members if member.progress is not WAITING}
    if device not in told or seen.state not in (RolloutState.RUNNING, RolloutState.ROLLING_BACK):
        return seen
    if what == "back":
        return _each(seen, (device,), back=True) if told[device].back is False else seen
    return _each(seen, (device,), progress=DeviceProgress(what)) if seen.state is RolloutState.RUNNING else seen


def _end(seen: View) -> str:
    """Where it gets to when every device it asks answers well."""
    for _ in range(5):
        for member in seen.members:
            if seen.state is RolloutState.RUNNING and member.progress in (NOTIFIED, DeviceProgress.INSTALLING):
                seen = _each(seen, (member.device,), progress=HEALTHY)
            if member.back is False:
                seen = _each(seen, (member.device,), back=True)
        seen = _advance(seen)
    if seen.state not in (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.ROLLING_BACK):
        return "ended"
    if not seen.members:
        return "empty"
    failed = [member for member in seen.members if member.progress is FAILED]
    return "tolerated" if failed and seen.state is RolloutState.RUNNING else "stuck"
