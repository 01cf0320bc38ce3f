"""Approvals: what the twins saw of a model, and how far it is with the signatures that let devices install it."""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.ceremony import SignedBy


class TwinOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the test on one twin."""

    device: str
    progress: str  # a DeviceProgress: healthy means that it ran and reproduced the golden set
    error: str = ""  # an error code


class TwinReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the twins saw of a model version, kept as a blob when the test ended; an approval signs its digest."""

    schema: str = "lineside.twin-report/1"
    model: str  # name:version
    digest: str  # of the model's file
    rollout: str
    state: str  # a RolloutState
    finished_at: str | None
    recipes: dict[str, str]  # component ► digest of the recipe that was tested
    twins: tuple[TwinOutcome, ...]


class ApprovalState(enum.Enum):
    """Where an approval stands."""

    OPEN = "open"  # waits for signatures
    SIGNED = "signed"  # devices may install what it names
    VOID = "void"  # what was signed is no longer what is here


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The approval of a model version, or the signing of a component: `signed` of `needed` signatures are there."""

    state: ApprovalState
    signed: int
    needed: int
    by: tuple[SignedBy, ...] = ()
    proposal: str | None = None
    withdraws: bool = False  # these are signatures for taking it back
    statement: str | None = None  # digest of what is signed
    why: str = ""  # it is void
