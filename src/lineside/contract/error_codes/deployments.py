"""Deployments of several groups on one device, and plans."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "deployment.conflict",
        Kind.CONFLICT,
        "The groups {groups} want what does not go together: {why}.",
        "Ask for what both allow, or take the devices they share out of one of them: lineside groups list",
    ),
    Problem(
        "deployment.no_version",
        Kind.REFUSED,
        "No released version of {name} meets {requirement}. Released: {versions}.",
        "Release one, or ask for another: lineside components list",
    ),
    Problem(
        "deployment.platform",
        Kind.REFUSED,
        "{name} {version} has no manifest for {platform}, the platform of {devices}.",
        "Add a manifest for it to the recipe, or deploy to a group without such devices: lineside devices list",
    ),
)
