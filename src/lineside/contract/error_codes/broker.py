"""A broker that is not the control plane's own."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "broker.away",
        Kind.UNAVAILABLE,
        "The MQTT broker at {address} cannot be used: {why}.",
        "lineside broker show",
    ),
    Problem(
        "broker.bad_topic",
        Kind.REFUSED,
        "{topic} cannot be a topic of your own.",
        "Name a filter whose first level is a word of yours, like factory/#; not lineside, $… or a wildcard.",
    ),
    Problem(
        "broker.bad_name",
        Kind.REFUSED,
        "{name} is not a host name or an address.",
        "Name the broker as devices reach it, like --host broker.example.com.",
    ),
)
