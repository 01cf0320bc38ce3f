"""What people decide about one model version: a row each, from which people's API and the pages have their routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lineside.contract.model import Decision, ModelVersion
from lineside.contract.people import Permission
from lineside.server.models.service import ModelsService


class Row(NamedTuple):
    """One decision: `/models/NAME/VERSION/verb`, what it needs, what it is called, and what it does."""

    verb: str
    permission: Permission
    summary: str
    about: str
    decide: Callable[[ModelsService, str, int, Decision], ModelVersion]


DECISIONS = (
    Row(
        "approve",
        Permission.APPROVE,
        "Approve a model",
        "Signed with the keys of this machine; devices may install it. `approval.key_needed`: the keys lie elsewhere.",
        ModelsService.approve,
    ),
    Row("reject", Permission.APPROVE, "Reject a model", "Needs a reason.", ModelsService.reject),
    Row(
        "withdraw",
        Permission.APPROVE,
        "Take an approval back",
        "Needs a reason. Where the keys lie elsewhere, `approval.proposal` waits to be signed.",
        ModelsService.withdraw,
    ),
    Row(
        "retest",
        Permission.OPERATE,
        "Have a model tested on the twins again",
        "Of one that awaits approval, or failed there; signatures over the earlier report count no more.",
        ModelsService.retest,
    ),
    Row(
        "retire",
        Permission.OPERATE,
        "Put a model version away for good",
        "Of one that was gated out, failed on its twins or was rejected; an approved one's approval is withdrawn "
        "instead (`model.withdraw_first`).",
        ModelsService.retire,
    ),
)
