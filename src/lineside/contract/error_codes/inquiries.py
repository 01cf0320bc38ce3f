"""What is asked of a device: its logs, its diagnosis."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "inquiry.too_many",
        Kind.TOO_MANY,
        "{device} is being asked {count} things already.",
        "End one of them, or wait until it has expired.",
    ),
    Problem(
        "inquiry.not_accepted",
        Kind.CONFLICT,
        "{device} is {state}, so nothing can be asked of it.",
        "Let it join again under a new name: lineside devices token",
    ),
    Problem(
        "inquiry.ended",
        Kind.CONFLICT,
        "The inquiry {id} has ended.",
        "Ask again: lineside devices logs {device}",
    ),
    Problem(
        "inquiry.no_answer",
        Kind.UNAVAILABLE,
        "{device} did not answer within {seconds} s.",
        "See when it was last seen: lineside devices show {device}",
    ),
    Problem(
        "inquiry.cut_off",
        Kind.UNAVAILABLE,
        "{device} began to answer and then fell silent.",
        "See when it was last seen: lineside devices show {device}",
    ),
    Problem(
        "inquiry.no_log",
        Kind.MISSING,
        "{device} has no log of a component named {component}.",
        "See what it runs: lineside devices show {device}",
    ),
    Problem(
        "inquiry.no_picture",
        Kind.MISSING,
        "There is no live picture of {component}: {why}.",
        "Name a component that runs a model; its local API must be on: api.socket in its configuration.",
    ),
    Problem(
        "inquiry.failed",
        Kind.INTERNAL,
        "{device} could not answer: {why}.",
        "Look at the agent's own log: lineside devices logs {device}",
    ),
)
