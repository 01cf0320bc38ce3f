"""What the local bus meets: components that speak AWS Greengrass V2's component IPC."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "bus.component_unknown",
        Kind.MISSING,
        "There is no component {name} on this device.",
        "List them: lineside agent status",
    ),
    Problem(
        "bus.condition_failed",
        Kind.CONFLICT,
        "The configuration of {name} was changed after the time that the update carries.",
        "Read it again, then update it with a newer timestamp.",
    ),
    Problem(
        "bus.unsupported",
        Kind.REFUSED,
        "The local bus does not do {operation}.",
        "See docs/bus.md for what it does, and what to use instead.",
    ),
    Problem(
        "bus.busy",
        Kind.UNAVAILABLE,
        "The local bus has too much of {what} waiting.",
        "Try again a little later, or send less often.",
    ),
    Problem(
        "bus.deployment_unknown",
        Kind.MISSING,
        "There is no local deployment {deployment} on this device.",
        "List them: lineside agent deployments",
    ),
    Problem(
        "bus.secret_unknown",
        Kind.MISSING,
        "There is no secret {secret} on this device.",
        "Give it one on the device: lineside agent secret set {secret}",
    ),
    Problem(
        "bus.closed",
        Kind.UNAVAILABLE,
        "Components cannot reach the local bus: {path} cannot be opened ({why}).",
        "Free the path or make its folder writable; the agent tries again every few seconds.",
    ),
    Problem(
        "bus.policy_invalid",
        Kind.REFUSED,
        "The policy {policy} in accessControl of {component} is not used: {why}.",
        "Correct it in the component's recipe or configuration; see docs/bus.md.",
    ),
    Problem(
        "bus.policy_duplicate",
        Kind.REFUSED,
        "The policy id {policy} is used by {component} and by {other}; both are used.",
        "Give each policy an id of its own.",
    ),
    Problem(
        "bus.route_invalid",
        Kind.REFUSED,
        "The subscription {route} of aws.greengrass.LegacySubscriptionRouter is not used: {why}.",
        "Correct it in that component's configuration; see docs/bus.md.",
    ),
)
