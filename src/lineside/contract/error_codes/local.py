"""Deploying on the device itself: local deployments, offline bundles, the agent's own update."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "bundle.invalid",
        Kind.CORRUPT,
        "This is no bundle that can be read: {why}.",
        "Make it again: lineside deployments bundle DEVICE -o FILE",
    ),
    Problem(
        "bundle.nothing",
        Kind.CONFLICT,
        "{name} should run nothing, so there is nothing to carry.",
        "Deploy something first: lineside deployments create",
    ),
    Problem(
        "bundle.too_large",
        Kind.TOO_LARGE,
        "{what} is over the {limit} bytes that a device reads of a bundle.",
        "Deploy fewer components at once, or with less configuration.",
    ),
    Problem(
        "bundle.incomplete",
        Kind.CORRUPT,
        "The bundle lacks {what}.",
        "Make it again: lineside deployments bundle DEVICE -o FILE",
    ),
    Problem(
        "bundle.signature",
        Kind.CORRUPT,
        "The bundle is not signed by this device's control plane: {why}.",
        "Make it with the control plane that this device has joined, and carry it unchanged.",
    ),
    Problem(
        "bundle.other_device",
        Kind.REFUSED,
        "The bundle is for the device {other}, and this is {device}.",
        "Make one for this device: lineside deployments bundle {device} -o FILE",
    ),
    Problem(
        "bundle.superseded",
        Kind.CONFLICT,
        "The bundle holds revision {revision}, and this device already knows revision {known}.",
        "Make a new one if need be: lineside deployments bundle {device} -o FILE",
    ),
    Problem(
        "bundle.not_joined",
        Kind.REFUSED,
        "The directory {root} belongs to no joined device, so there is nothing to check the bundle's signatures with.",
        "Join a control plane once, or deploy without signatures: lineside agent deploy --recipe FILE --artifacts DIR",
    ),
    Problem(
        "local.file_unreadable",
        Kind.REFUSED,
        "{path} cannot be read: {why}.",
        "Name a file or folder on this device that the agent may read.",
    ),
    Problem(
        "local.bad_request",
        Kind.REFUSED,
        "The local deployment cannot be read: {why}.",
        "See: lineside agent deploy --help",
    ),
    Problem(
        "local.nothing_to_do",
        Kind.REFUSED,
        "The local deployment changes nothing.",
        "Name a recipe, a configuration or a component to remove: lineside agent deploy --help",
    ),
    Problem(
        "local.component_unknown",
        Kind.MISSING,
        "This device has no component {name}.",
        "Give its recipe too: lineside agent deploy --recipe FILE --artifacts DIR",
    ),
    Problem(
        "local.recipe_missing",
        Kind.MISSING,
        "There is no recipe of {name} {version} in {folder}.",
        "Put a file {name}-{version}.yaml there.",
    ),
    Problem(
        "local.artifact_missing",
        Kind.MISSING,
        "There is no file {file} for {name} in {folder}.",
        "Put it there, or below {folder}/{name}/{version}/.",
    ),
    Problem(
        "local.no_control_plane",
        Kind.MISSING,
        "{what} is not on this device, and there is no control plane to fetch it from.",
        "Deploy it with its files, or join a control plane: lineside agent join URL --token TOKEN --ca-sha256 HASH",
    ),
    Problem(
        "local.canceled",
        Kind.CONFLICT,
        "The local deployment {id} was cancelled.",
        "Deploy again if need be.",
    ),
    Problem(
        "local.superseded",
        Kind.CONFLICT,
        "The local deployment {id} was overtaken by revision {revision} of the desired document.",
        "Deploy again if need be.",
    ),
    Problem(
        "local.ended",
        Kind.CONFLICT,
        "The local deployment {id} has ended already: {status}.",
        "See: lineside agent deployments",
    ),
    Problem(
        "agent.update_failed",
        Kind.INTERNAL,
        "The agent {version} did not come up ({why}); the agent {previous} runs again.",
        "See {log} on the device; send a corrected version as a new revision.",
    ),
    Problem(
        "agent.update_unsupported",
        Kind.CONFLICT,
        "This agent was not started by its loader, so it cannot change itself.",
        "Put its loader in place, then start it again: lineside agent install",
    ),
    Problem(
        "agent.package_invalid",
        Kind.CORRUPT,
        "{name} {version} is no agent that can be started: {why}.",
        "Build the component again: python -m lineside.agent.loader.package",
    ),
)
