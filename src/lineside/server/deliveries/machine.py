"""What a delivery does next. Pure: decided from what is true now of its model, its signatures and its rollout.

    packaging ─► twin ─► approval ─► rollout ─► delivered

The twins test one model at a time (`loops/delivery.py`); a delivery watches that, and deploys once it may.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineside.contract.approval import Approval
from lineside.contract.delivery import DeliveryState
from lineside.contract.model import ModelState
from lineside.contract.rollout import RolloutState


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is true now. `released`: everything it brings is signed for the fleet. `model` is None for a component, and
    `rollout` None before there is one."""

    what: str
    state: DeliveryState
    model: ModelState | None = None
    why: str = ""  # the reason of who rejected or retired it
    twins: bool = True  # there is one to test on
    approval: Approval | None = None
    released: bool = False
    rollout: RolloutState | None = None
    rollout_note: str = ""


@dataclass(frozen=True)
class Move:
    """Go to another state, and say why."""

    wanted: DeliveryState
    why: str


@dataclass(frozen=True)
class Deploy:
    """It may go to its group: deploy it."""


@dataclass(frozen=True)
class Wait:
    """Nothing to do; `note` says for what it waits."""

    note: str


Action = Move | Deploy | Wait

_STAGES = {
    ModelState.CANDIDATE: DeliveryState.PACKAGING,
    ModelState.IN_TWIN: DeliveryState.TWIN,
    ModelState.AWAITING_APPROVAL: DeliveryState.APPROVAL,
    ModelState.APPROVED: DeliveryState.APPROVAL,
}

_ENDS = {
    RolloutState.SUCCEEDED: DeliveryState.DELIVERED,
    RolloutState.FAILED: DeliveryState.FAILED,
    RolloutState.ABORTED: DeliveryState.FAILED,
    RolloutState.SUPERSEDED: DeliveryState.SUPERSEDED,
}


def advance(seen: Seen) -> Action:
    """The one next thing."""
    if seen.state is DeliveryState.ROLLOUT:
        return _rolling_out(seen)
    if seen.model is None:
        return Deploy() if seen.released else Wait("Its builders have not signed it.")
    stage = _STAGES.get(seen.model)
    if stage is None:
        why = f": {seen.why}" if seen.why else ""
        return Move(DeliveryState.FAILED, f"{seen.what} is {_words(seen.model)}{why}")
    if seen.model is ModelState.APPROVED and seen.released:
        return Deploy()
    if stage is not seen.state:
        return Move(stage, f"{seen.what} is {_words(seen.model)}")
    return Wait(_note(seen))


def _rolling_out(seen: Seen) -> Action:
    end = _ENDS.get(seen.rollout) if seen.rollout is not None else None
    if seen.rollout is None or end is None:
        return Wait(seen.rollout_note or f"The rollout is {_words(seen.rollout)}.")
    return Move(end, f"the rollout is {_words(seen.rollout)}")


def _note(seen: Seen) -> str:
    if seen.model is ModelState.CANDIDATE:
        return "Its turn with the twins has not come." if seen.twins else "There is no twin: lineside twin start"
    if seen.model is ModelState.IN_TWIN:
        return "The twins test it."
    if seen.model is ModelState.APPROVED:
        return "It is approved; the code that runs it is not signed yet."
    if seen.approval is None:
        return "Nobody has approved it yet."
    return f"Approved by {seen.approval.signed} of {seen.approval.needed}."


def _words(state: ModelState | RolloutState | None) -> str:
    return "not there" if state is None else state.value.replace("_", " ")
