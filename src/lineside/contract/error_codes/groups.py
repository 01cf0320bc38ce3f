"""Groups, labels and selectors."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "selector.invalid",
        Kind.REFUSED,
        "The selector cannot be read at character {at} ({shown}): {why}.",
        "Write it like this: site=berlin, line in (3, 4), !spare, memory_mb>=4000",
    ),
    Problem(
        "label.invalid",
        Kind.REFUSED,
        "{key} cannot be a label: {why}.",
        "Use at most 63 letters, digits and _ . / - for a key, and at most 255 printable characters for a value.",
    ),
    Problem(
        "label.is_fact",
        Kind.REFUSED,
        "{key} is a fact that devices themselves report; it cannot be set.",
        "Use another key; facts can be selected by as labels can.",
    ),
    Problem(
        "group.exists",
        Kind.CONFLICT,
        "There is a group named {name} already.",
        "Change it: lineside groups change {name}",
    ),
    Problem(
        "group.unknown",
        Kind.MISSING,
        "There is no group named {name}.",
        "List the groups: lineside groups list",
    ),
    Problem(
        "group.in_use",
        Kind.CONFLICT,
        "Devices of the group {name} follow {deployments}.",
        "Deploy nothing to it first (a document without components), then delete it.",
    ),
    Problem(
        "group.reserved",
        Kind.REFUSED,
        "The group {name} is Lineside's own: simulated devices, and only they, are in it.",
        "Use a group with another name.",
    ),
    Problem(
        "group.selected",
        Kind.CONFLICT,
        "{devices} of these devices stay in the group {name}: its selector selects them.",
        "Change their labels, or the selector: lineside groups change {name} --selector …",
    ),
    Problem(
        "group.no_devices",
        Kind.REFUSED,
        "It is not said which devices: {why}.",
        "Name devices, or give a selector; not both.",
    ),
)
