"""Components, deployments and rollouts."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "artifact.digest_mismatch",
        Kind.CORRUPT,
        "The artifact {name} arrived with digest {actual}, not {expected}.",
        "Restore the file on the control plane; the agent tries again by itself.",
    ),
    Problem(
        "component.install_failed",
        Kind.INTERNAL,
        "The {step} step of {name} failed: {why}.",
        "See its log: lineside devices logs DEVICE {name}; on the device: {log}",
    ),
    Problem(
        "component.broken",
        Kind.INTERNAL,
        "{name} failed {times} with {why}.",
        "See its log: lineside devices logs DEVICE {name}; on the device: {log}",
    ),
    Problem(
        "component.not_ready",
        Kind.INTERNAL,
        "{name} was not ready within {seconds} s ({why}).",
        "See its log: lineside devices logs DEVICE {name}; on the device: {log}",
    ),
    Problem(
        "component.probe_failed",
        Kind.INTERNAL,
        "The probe of {name} says that it will never be ready: {why}.",
        "See its log: lineside devices logs DEVICE {name}; on the device: {log}",
    ),
    Problem(
        "component.golden_mismatch",
        Kind.INTERNAL,
        "{name} does not reproduce its model's golden inputs on this device.",
        "Compare the runtime's version and processor; see the log: {log}",
    ),
    Problem(
        "component.unknown",
        Kind.MISSING,
        "There is no component named {name}.",
        "List what exists: lineside components list",
    ),
    Problem(
        "component.unknown_version",
        Kind.MISSING,
        "The component {name} has no version {version}; it has {versions}.",
        "Name one of these versions.",
    ),
    Problem(
        "artifact.not_desired",
        Kind.FORBIDDEN,
        "The desired document of {device} names no component with the artifact {digest}.",
        "Deploy the component to the device's group first.",
    ),
    Problem(
        "artifact.range",
        Kind.REFUSED,
        "The range {wanted} is outside the artifact's {size} bytes.",
        "Ask for the whole artifact.",
    ),
    Problem(
        "deployment.no_group",
        Kind.REFUSED,
        "The deployment names no group: {why}.",
        "Give groupName, or a targetArn that ends in thinggroup/NAME.",
    ),
    Problem(
        "deployment.unknown_group",
        Kind.MISSING,
        "There is no group named {group}.",
        "See which there are: lineside groups list; or let devices join it: lineside devices token --group {group}",
    ),
    Problem(
        "deployment.not_released",
        Kind.CONFLICT,
        "{name} {version} is not released: {state}.",
        "{command}",
        "What its model, or its builders, must do next, for example lineside models approve NAME:VERSION",
    ),
    Problem(
        "deployment.dependency",
        Kind.REFUSED,
        "{name} {version} needs {dependency} {requirement}, and no released version of it meets that.",
        "Release one, or name another version of {name}: lineside components list",
    ),
    Problem(
        "deployment.dependency_version",
        Kind.REFUSED,
        "{name} {version} needs {dependency} {requirement}, and the deployment names {dependency} {found}.",
        "Name a version of {dependency} that meets {requirement}, or leave {dependency} out of the document.",
    ),
    Problem(
        "deployment.builtin_version",
        Kind.REFUSED,
        "{name} {version} is not what comes with the agent: it speaks {name} {found}.",
        "Write {found} in the deployment.",
    ),
    Problem(
        "deployment.update_action",
        Kind.REFUSED,
        "{action} is no action of componentUpdatePolicy.",
        "Use NOTIFY_COMPONENTS or SKIP_NOTIFY_COMPONENTS.",
    ),
    Problem(
        "deployment.timeout",
        Kind.REFUSED,
        "timeoutInSeconds of {policy} is {seconds}, which is no time.",
        "Use a number of seconds from 0 to {most}.",
    ),
    Problem(
        "deployment.run_with",
        Kind.REFUSED,
        "runWith of {name} cannot be followed: {why}.",
        "Correct runWith of {name} in the deployment document.",
    ),
    Problem(
        "deployment.policy", Kind.REFUSED, "{policy} is not a failure handling policy.", "Use ROLLBACK or DO_NOTHING."
    ),
    Problem(
        "rollout.not_as_wanted",
        Kind.CONFLICT,
        "{device} calls itself healthy, but {name} should be {wanted} at the signed digest and is {found}.",
        "Look at what it reports: lineside devices show {device}",
    ),
)
