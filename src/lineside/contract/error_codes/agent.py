"""What the agent meets on a device."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "agent.not_joined",
        Kind.REFUSED,
        "The directory {root} belongs to no joined device.",
        "Join first: lineside agent join URL --token TOKEN --ca-sha256 HASH --root {root}; or deploy on the device itself: "
        "lineside agent deploy --recipe FILE --artifacts DIR --root {root}",
    ),
    Problem(
        "agent.root_in_use",
        Kind.CONFLICT,
        "Another agent (pid {pid}) runs on the root {root}.",
        "Stop it, or choose another: --root DIR",
    ),
    Problem(
        "agent.root_read_only", Kind.REFUSED, "The agent's root {root} cannot be written.", "Choose another: --root DIR"
    ),
    Problem(
        "store.no_space",
        Kind.UNAVAILABLE,
        "{name} needs {needed} bytes and {free} are free below {root}.",
        "Free some space on the device; the agent tries again by itself.",
    ),
    Problem(
        "archive.invalid",
        Kind.CORRUPT,
        "The archive {name} cannot be unpacked: {why}.",
        "Build the component's archive again.",
    ),
    Problem(
        "archive.path_escape",
        Kind.CORRUPT,
        "The archive {name} holds the path {path}, which leads outside it.",
        "Build the component's archive again, with relative paths only.",
    ),
    Problem(
        "archive.name",
        Kind.CORRUPT,
        "The archive {name} holds the name {path}, which is {why}.",
        "Build the component's archive again, with short names of printable characters.",
    ),
    Problem(
        "archive.link",
        Kind.CORRUPT,
        "The archive {name} holds {path}, which is a link or a special file.",
        "Build the component's archive again, with regular files only.",
    ),
    Problem(
        "archive.too_large",
        Kind.CORRUPT,
        "The archive {name} unpacks to more than {limit} bytes.",
        "Make the archive smaller.",
    ),
    Problem(
        "archive.too_many",
        Kind.CORRUPT,
        "The archive {name} holds more than {limit} entries.",
        "Make the archive smaller.",
    ),
    Problem(
        "deploy.interrupted",
        Kind.INTERNAL,
        "The device stopped {times} times while trying revision {revision}.",
        "See the device's logs; send another revision to try again.",
    ),
)
