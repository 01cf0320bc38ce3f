"""Twins: what is simulated, and the test that a release must pass there."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "twin.profile_invalid",
        Kind.REFUSED,
        "{where} is no profile of a twin: {why}.",
        "See the profiles there are, and their keys: lineside twin profiles --json",
    ),
    Problem(
        "twin.profile_unknown",
        Kind.MISSING,
        "There is no profile named {name}, nor a file.",
        "See the profiles there are: lineside twin profiles",
    ),
    Problem(
        "twin.tests_invalid",
        Kind.REFUSED,
        "The tests that its recipe declares cannot be read: {why}.",
        'Write "lineside.tests" as docs/twins.md says.',
    ),
    Problem(
        "twin.not_a_twin",
        Kind.CONFLICT,
        "{device} is no twin, so no tests are run there.",
        "Start a twin: lineside twin start --profile generic-x86",
    ),
    Problem(
        "twin.running",
        Kind.CONFLICT,
        "Twins run from {folder} already (process {pid}).",
        "Stop them, or choose another folder: lineside twin stop --folder {folder}",
    ),
    Problem(
        "twin.not_started",
        Kind.UNAVAILABLE,
        "The twin {device} did not start: {why}.",
        "Look at its log: {log}",
    ),
    Problem(
        "twin.not_tested",
        Kind.MISSING,
        "{model} was never tested on a twin.",
        "Start a twin: lineside twin start --profile generic-x86",
    ),
    Problem(
        "twin.not_now",
        Kind.CONFLICT,
        "{model} cannot be tested again: it is {current}.",
        "See where it stands: lineside models show {model}",
    ),
)
