"""Deliveries: one model or component version on its way to a group by itself: twin, approval, waves."""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.moves import Moved
from lineside.contract.rollout import RolloutPlan


class DeliveryState(enum.Enum):
    """Where a delivery stands."""

    PACKAGING = "packaging"  # waits to be packed and signed for the twins, whose turn comes one model at a time
    TWIN = "twin"  # the twins test it
    APPROVAL = "approval"  # waits for signatures
    ROLLOUT = "rollout"  # on its way through the waves of its group
    DELIVERED = "delivered"  # the rollout succeeded
    FAILED = "failed"  # the twins, a person, the deployment or the rollout said no
    CANCELLED = "cancelled"  # a person stopped it
    SUPERSEDED = "superseded"  # a newer delivery or deployment to the group took over


_ENDS = frozenset({DeliveryState.FAILED, DeliveryState.CANCELLED, DeliveryState.SUPERSEDED})

DELIVERY_MOVES: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PACKAGING: _ENDS | {DeliveryState.TWIN, DeliveryState.APPROVAL, DeliveryState.ROLLOUT},
    DeliveryState.TWIN: _ENDS | {DeliveryState.PACKAGING, DeliveryState.APPROVAL, DeliveryState.ROLLOUT},
    DeliveryState.APPROVAL: _ENDS | {DeliveryState.PACKAGING, DeliveryState.TWIN, DeliveryState.ROLLOUT},
    DeliveryState.ROLLOUT: _ENDS | {DeliveryState.DELIVERED},
    DeliveryState.DELIVERED: frozenset(),
    DeliveryState.FAILED: frozenset(),
    DeliveryState.CANCELLED: frozenset(),
    DeliveryState.SUPERSEDED: frozenset(),
}
"""Which state may follow which. A twin test that is repeated takes a delivery back."""


OPEN = (DeliveryState.PACKAGING, DeliveryState.TWIN, DeliveryState.APPROVAL, DeliveryState.ROLLOUT)
"""States of a delivery that has something left to do."""


class DeliveryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring a model (`NAME`, its newest version that can still be approved, or `NAME:VERSION`) or a component version
    (`NAME VERSION`) to a group. One of the two."""

    group: str
    model: str | None = None
    component: str | None = None
    plan: RolloutPlan | None = None  # None: that of what the group runs now, else the default


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery. `what` is `NAME:VERSION` of a model or `NAME VERSION` of a component."""

    id: str
    what: str
    model: bool
    group: str
    state: DeliveryState
    note: str  # what it waits for now, or why it ended, in words
    cause: str  # who or what started it
    plan: RolloutPlan | None = None
    deployment: str | None = None
    rollout: str | None = None
    created_at: str
    finished_at: str | None = None
    history: tuple[Moved, ...] = ()


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first; `next` continues."""

    deliveries: tuple[Delivery, ...]
    total: int
    next: str | None = None


class RuleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whenever a version of `model` is approved, deliver it to `group`."""

    model: str
    group: str
    plan: RolloutPlan | None = None


class DeliveryRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. It begins with approvals after `created_at`."""

    id: str
    model: str
    group: str
    plan: RolloutPlan | None = None
    created_at: str
    by: str


class HookRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let programs elsewhere start deliveries to one group by POST /hooks/{name}; of one thing only, if it is named."""

    name: str
    group: str
    model: str | None = None
    component: str | None = None
    plan: RolloutPlan | None = None


class DeliveryHook(msgspec.Struct, frozen=True, kw_only=True):
    """A door for programs elsewhere."""

    name: str
    group: str
    model: str | None = None
    component: str | None = None
    plan: RolloutPlan | None = None
    created_at: str
    by: str


class HookMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new door. `secret` is shown this once: messages are signed with it as Standard Webhooks says."""

    hook: DeliveryHook
    url: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"HookMade({self.hook!r})"


class HookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a program sends to /hooks/{name}: `model` as NAME or NAME:VERSION, or `component` as NAME VERSION. What the
    door is for may be left out. Other keys are not looked at."""

    model: str | None = None
    component: str | None = None
    version: str | int | None = None  # beside a NAME, or beside nothing
