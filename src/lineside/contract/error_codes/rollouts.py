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
)
