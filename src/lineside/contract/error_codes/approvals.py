"""Approvals: signatures over models and components."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "approval.key_needed",
        Kind.FORBIDDEN,
        "The control plane has no key that signs {what}.",
        "Sign it where your key is: {command}",
    ),
    Problem(
        "approval.four_eyes",
        Kind.FORBIDDEN,
        "{who} started the run of {model} and cannot be the only one who approves it.",
        "Let somebody else sign: lineside models approve {model} --key FILE",
    ),
    Problem(
        "approval.void",
        Kind.CONFLICT,
        "What was to be signed about {subject} is no longer what is here: {why}.",
        "Look at it again, and ask for signatures again: {command}",
    ),
    Problem(
        "approval.not_what_it_says",
        Kind.CORRUPT,
        "What is to be signed about {subject} does not hold together: {why}.",
        "Sign nothing, and find out who changed it: lineside audit list",
    ),
    Problem(
        "approval.not_given",
        Kind.CONFLICT,
        "Nothing was signed.",
        "Sign it when you are sure: {command}",
    ),
    Problem(
        "approval.not_withdrawable",
        Kind.CONFLICT,
        "The approval of {model} cannot be withdrawn: the model is {state}.",
        "Look at it first: lineside models show {model}",
    ),
    Problem(
        "approval.reason_missing",
        Kind.REFUSED,
        "Withdrawing an approval needs a reason.",
        "lineside models withdraw {model} --reason TEXT",
    ),
    Problem(
        "deployment.void",
        Kind.CONFLICT,
        "{name} {version} cannot be deployed, because its approval is void: {why}.",
        "See it: {command}",
    ),
)
