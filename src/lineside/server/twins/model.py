"""The twin test as a state machine: from what is seen to the next thing to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lineside.contract.rollout import OPEN, RolloutState
from lineside.contract.twin import ENDED, TwinState

_BY_ROLLOUT = {
    TwinState.PREPARING: TwinState.INSTALLING,
    TwinState.INSTALLING: TwinState.SOAKING,
    TwinState.ROLLING_BACK: TwinState.REINSTALLING,
    TwinState.REINSTALLING: TwinState.PASSED,
}
_DONE = {
    TwinState.PREPARING: "the twins run what the fleet may run now",
    TwinState.INSTALLING: "the twins run it",
    TwinState.ROLLING_BACK: "the twins run what ran before, by its digests",
    TwinState.REINSTALLING: "the twins run it again, by its digests",
}


@dataclass(frozen=True, kw_only=True)
class View:
    """What is seen of a twin test. `wrong` is what does not hold in the stage that is about to end."""

    state: TwinState
    twins: tuple[str, ...]  # those that are still there
    decided: str = ""  # what a person has decided about the model meanwhile: there is nothing to find out any more
    rollout: RolloutState | None = None  # of the stage under way; None: it needs none
    rollout_why: str = ""
    soak_left: float = 0.0
    unasked: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    overdue: float = 0.0  # seconds that the stage may take; 0 while it still may go on


@dataclass(frozen=True)
class Move:
    """The stage is over."""

    wanted: TwinState
    why: str


@dataclass(frozen=True)
class Ask:
    """These twins are to be asked to measure."""

    twins: tuple[str, ...]


@dataclass(frozen=True)
class Wait:
    """Nothing to do now."""


Action = Move | Ask | Wait


def advance(view: View) -> Action:
    """The one next thing."""
    if view.state in ENDED:
        return Wait()
    if view.decided:
        return Move(TwinState.FAILED, view.decided)
    if not view.twins:
        return Move(TwinState.FAILED, "no twin is left")
    if view.state in _BY_ROLLOUT:
        return _rolled_out(view)
    if view.state is TwinState.SOAKING:
        if view.soak_left > 0:
            return Wait()
        return Move(TwinState.MEASURING, "they ran it for the soak time")
    if view.state is TwinState.MEASURING:
        return _measured(view)
    return Wait()


def _rolled_out(view: View) -> Action:
    if view.rollout in OPEN:
        return _overdue(view, "the twins did not come to an end")
    if view.rollout not in (None, RolloutState.SUCCEEDED):
        return Move(TwinState.FAILED, view.rollout_why)
    return _judged(view, _BY_ROLLOUT[view.state], _DONE[view.state])


def _measured(view: View) -> Action:
    if view.unasked:
        return Ask(view.unasked)
    if view.unanswered:
        return _overdue(view, f"{', '.join(view.unanswered)} did not answer")
    return _judged(view, TwinState.ROLLING_BACK, "every number is within its limit")


def _judged(view: View, wanted: TwinState, why: str) -> Move:
    return Move(TwinState.FAILED, "; ".join(view.wrong)) if view.wrong else Move(wanted, why)


def _overdue(view: View, why: str) -> Action:
    return Move(TwinState.FAILED, f"{why} within {view.overdue:g} s") if view.overdue else Wait()
