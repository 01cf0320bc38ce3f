"""How a device joins, proves its key and keeps its certificate."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "join.throttled",
        Kind.TOO_MANY,
        "Too many attempts to join came from {source}.",
        "Wait {seconds} s, then: lineside agent join",
    ),
    Problem(
        "join.too_many_pending",
        Kind.TOO_MANY,
        "{limit} devices wait to be accepted already.",
        "Accept or revoke those that wait: lineside devices list; or join with a token: lineside devices token",
    ),
    Problem(
        "join.token_needed",
        Kind.FORBIDDEN,
        "{what} joins with a token only.",
        "Make one: lineside devices token [--twin]",
    ),
    Problem(
        "join.other_name",
        Kind.CONFLICT,
        "This key was preauthorised under the name {name}.",
        "Join under it: lineside agent join … --name {name}",
    ),
    Problem(
        "join.key_in_use",
        Kind.CONFLICT,
        "The key {fingerprint} belongs, or has belonged, to a device already.",
        "Give this device a key of its own: lineside agent join … --force makes a new one.",
    ),
    Problem(
        "join.pending",
        Kind.UNAVAILABLE,
        "{device} waits to be accepted; its key's fingerprint is {fingerprint}.",
        "lineside devices accept {device} --fingerprint {fingerprint}",
    ),
    Problem(
        "auth.device_pending",
        Kind.FORBIDDEN,
        "The device {device} has not been accepted yet.",
        "Compare its key, then: lineside devices accept {device} --fingerprint F",
    ),
    Problem(
        "auth.device_quarantined",
        Kind.FORBIDDEN,
        "The device {device} is quarantined: it may report, and install nothing.",
        "Find out why on its page, then: lineside devices accept {device} --fingerprint F",
    ),
    Problem(
        "auth.cloned",
        Kind.FORBIDDEN,
        "Two agents use the identity of {device}: {why}.",
        "Find the copy and wipe it, then: lineside devices accept {device} --fingerprint F",
    ),
    Problem(
        "auth.assertion_late",
        Kind.UNAUTHENTICATED,
        "A client assertion of {device} came after a newer one.",
        "Sign a new one.",
    ),
    Problem(
        "auth.assertion_uncounted",
        Kind.UNAUTHENTICATED,
        "The client assertion of {device} does not count, though earlier ones did.",
        "Update the agent on the device.",
    ),
    Problem(
        "certificate.same_key",
        Kind.CONFLICT,
        "The certificate of {device} is renewed with a new key only.",
        "Make a new key and ask again.",
    ),
)
