"""Rollouts: plans that cannot be followed."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "rollout.plan_invalid",
        Kind.REFUSED,
        "The rollout plan cannot be followed: {where} {why}.",
        "Correct {where} in the deployment document.",
    ),
    Problem(
        "rollout.not_newest",
        Kind.CONFLICT,
        "{rollout} is not the newest rollout to the group {group}: {newest} is.",
        "Look at that one: lineside rollouts show {newest}",
    ),
    Problem(
        "rollout.nothing_failed",
        Kind.CONFLICT,
        "No device of {rollout} has failed, so there is nothing to try again.",
        "See how its devices stand: lineside rollouts devices {rollout}",
    ),
    Problem(
        "rollout.too_slow",
        Kind.CONFLICT,
        "{device} is online and was not done {seconds} s after it was told.",
        "See what it does: lineside devices show {device}",
    ),
)
