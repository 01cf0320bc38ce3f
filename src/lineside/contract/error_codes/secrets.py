"""Secrets of components."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "secret.unknown",
        Kind.MISSING,
        "There is no secret {name}.",
        "See those there are: lineside secrets list",
    ),
    Problem(
        "secret.bad_name",
        Kind.REFUSED,
        "A secret cannot be called {name}.",
        "Use letters, digits and / _ + = . @ -, at most 255 of them.",
    ),
    Problem(
        "secret.bad_value",
        Kind.REFUSED,
        "A secret of {size} bytes cannot be kept: it has 1 to {limit}.",
        "Give the value on standard input or with --file.",
    ),
    Problem(
        "secret.key_lost",
        Kind.INTERNAL,
        "{name} was sealed with a key that is not in {path} any more.",
        "Put that file back from a backup, or set the secret again: lineside secrets set {name}",
    ),
)
