"""What a delivery does next, whatever it sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.approval import Approval, ApprovalState
from lineside.contract.delivery import DELIVERY_MOVES, OPEN, DeliveryState
from lineside.contract.model import ModelState
from lineside.contract.rollout import RolloutState
from lineside.server.deliveries.machine import Deploy, Move, Seen, Wait, advance

STATES = st.sampled_from(OPEN)
SEEN = st.builds(
    Seen,
    what=st.just("tags:3"),
    state=STATES,
    model=st.none() | st.sampled_from(ModelState),
    twins=st.booleans(),
    released=st.booleans(),
    rollout=st.none() | st.sampled_from(RolloutState),
)


@given(SEEN)
def test_it_only_moves_where_the_table_allows_and_deploys_only_what_is_released(seen: Seen) -> None:
    match advance(seen):
        case Move(wanted, why):
            assert wanted in DELIVERY_MOVES[seen.state]
            assert why
        case Deploy():
            assert seen.released
            assert seen.model in (None, ModelState.APPROVED)
            assert DeliveryState.ROLLOUT in DELIVERY_MOVES[seen.state]
        case Wait(note):
            assert note


@given(SEEN)
def test_it_is_delivered_only_by_a_rollout_that_succeeded(seen: Seen) -> None:
    match advance(seen):
        case Move(DeliveryState.DELIVERED):
            assert (seen.state, seen.rollout) == (DeliveryState.ROLLOUT, RolloutState.SUCCEEDED)


@pytest.mark.parametrize("state", OPEN)
def test_it_can_be_cancelled_from_every_state(state):
    assert DeliveryState.CANCELLED in DELIVERY_MOVES[state]


def seen(model: ModelState | None, state: DeliveryState = DeliveryState.APPROVAL, **more: object) -> Seen:
    return Seen(**({"what": "tags:3", "state": state, "model": model} | more))  # type: ignore[arg-type]


def test_it_says_what_it_waits_for():
    signed = Approval(state=ApprovalState.OPEN, signed=1, needed=2)
    assert advance(seen(ModelState.AWAITING_APPROVAL, approval=signed)) == Wait("Approved by 1 of 2.")
    assert advance(seen(ModelState.AWAITING_APPROVAL)) == Wait("Nobody has approved it yet.")
    alone = seen(ModelState.CANDIDATE, DeliveryState.PACKAGING, twins=False)
    assert advance(alone) == Wait("There is no twin: lineside twin start")
    assert advance(seen(ModelState.APPROVED)) == Wait("It is approved; the code that runs it is not signed yet.")
    assert advance(seen(None)) == Wait("Its builders have not signed it.")


def test_it_fails_with_its_model():
    rejected = advance(seen(ModelState.REJECTED, why="misses scratches"))
    assert rejected == Move(DeliveryState.FAILED, "tags:3 is rejected: misses scratches")
