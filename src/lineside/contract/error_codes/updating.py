"""Updating a device: what a step may take, and what a trial fails on."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "deploy.start_timeout",
        Kind.INTERNAL,
        "{name} was neither ready nor broken {seconds} s after its start.",
        "See its log, or give its lifecycle steps a Timeout: lineside devices logs DEVICE {name}",
    ),
    Problem(
        "deploy.soak_timeout",
        Kind.INTERNAL,
        "The components were never all ready for {seconds} s in a row; {patience} s were enough to try.",
        "A component starts again and again: see the logs; correct it, or shorten SoakSeconds.",
    ),
    Problem(
        "deploy.stage_timeout",
        Kind.INTERNAL,
        "Unpacking the artifacts of {name} took more than {seconds} s.",
        "Make the archive smaller, or look whether the device's disk is failing.",
    ),
    Problem(
        "deploy.configuration_refused",
        Kind.REFUSED,
        "{name} refuses its new configuration: {why}.",
        "Correct the configuration of {name} in the deployment; nothing was stopped.",
    ),
    Problem(
        "deploy.bootstrap_failed",
        Kind.INTERNAL,
        "The Bootstrap step of {name} failed: {why}.",
        "See its log: lineside devices logs DEVICE {name}",
    ),
    Problem(
        "deploy.reboot_failed",
        Kind.INTERNAL,
        "The device could not be restarted with `{command}`: {why}.",
        "Set LINESIDE_REBOOT_COMMAND for the agent, or give it the right to restart the device.",
    ),
    Problem(
        "state.unreadable",
        Kind.INTERNAL,
        "The agent's state in {file} cannot be read: {why}.",
        "The agent puts it aside at its start and goes on with the copy beside it. Look at dmesg: the disk may be dying.",
    ),
    Problem(
        "state.newer_schema",
        Kind.CONFLICT,
        "The agent's state in {file} has schema {schema}, and this agent knows {known}: a newer agent wrote it.",
        "Install the newer agent again; until then this one goes on with what ran before it.",
    ),
    Problem(
        "trust.timeout",
        Kind.UNAVAILABLE,
        "The signed metadata did not arrive within {seconds} s.",
        "Is the connection very slow? The agent tries again by itself; what runs keeps running.",
    ),
    Problem(
        "link.stalled",
        Kind.UNAVAILABLE,
        "The download of {name} stands still: {got} bytes came within {seconds} s.",
        "Is the connection very slow? The agent goes on by itself from where it stopped; what runs keeps running.",
    ),
)
