"""What goes wrong while components are kept running."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

_LOG = "See its log: lineside devices logs DEVICE {name}; on the device: {log}"

ROWS = (
    Problem(
        "component.crash_loop",
        Kind.INTERNAL,
        "{name} was started {starts} times in {minutes} minutes; the last time it ended with {why}.",
        _LOG,
    ),
    Problem(
        "component.hung",
        Kind.INTERNAL,
        "{name} was ready, and has not answered its probe for {seconds} s ({why}); it is started again.",
        _LOG,
    ),
    Problem(
        "component.said_errored",
        Kind.INTERNAL,
        "{name} says of itself that it is ERRORED.",
        _LOG,
    ),
    Problem(
        "component.out_of_memory",
        Kind.INTERNAL,
        "{name} needed more than its memory limit of {limit} MiB and was ended by the kernel.",
        "Let it use less, or raise runWith.systemResourceLimits.memory (in KiB) in the deployment.",
    ),
    Problem(
        "component.dependency_down",
        Kind.UNAVAILABLE,
        "{name} waits for {dependency}, which it needs: {why}",
        "See to {dependency} first; {name} starts by itself.",
    ),
    Problem(
        "component.stopped_by_hand",
        Kind.CONFLICT,
        "{name} was stopped on the device.",
        "Restart it there, or deploy again.",
    ),
    Problem(
        "component.not_supervised",
        Kind.MISSING,
        "No component named {name} runs on this device.",
        "List what runs: lineside agent status",
    ),
    Problem(
        "component.cannot_pause",
        Kind.UNAVAILABLE,
        "{name} cannot be paused: {why}.",
        "Stop it instead.",
    ),
    Problem(
        "component.user_unknown",
        Kind.REFUSED,
        "{name} is to run as {user}, and this device has no such user or group.",
        "Create it on the device, or change runWith.posixUser in the deployment.",
    ),
    Problem(
        "component.user_needs_root",
        Kind.REFUSED,
        "{name} is to run as {user}, and the agent, which runs as user {uid}, cannot change users.",
        "Run the agent as root, or take runWith.posixUser out of the deployment.",
    ),
    Problem(
        "component.sandbox_missing",
        Kind.REFUSED,
        "{name} is to run in a sandbox, and bubblewrap is not installed on this device.",
        "Install it (apt-get install bubblewrap), or take lineside.sandbox out of the component's configuration.",
    ),
    Problem(
        "component.sandbox_unusable",
        Kind.REFUSED,
        "{name} is to run in a sandbox, and bubblewrap cannot build one here: {why}.",
        "Allow user namespaces on the device, or take lineside.sandbox out of the component's configuration.",
    ),
    Problem(
        "component.sandbox_privilege",
        Kind.REFUSED,
        "{name} is to run in a sandbox, and has a step that requires privilege.",
        "Take RequiresPrivilege out of the recipe, or lineside.sandbox out of the component's configuration.",
    ),
    Problem(
        "component.probe_address",
        Kind.REFUSED,
        "The probe of {name} asks {url}, which is no http: address on the device itself.",
        "Probe http://localhost:PORT/PATH.",
    ),
)
