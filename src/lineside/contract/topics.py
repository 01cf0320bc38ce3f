"""MQTT topics: the only place that builds or parses one."""

from __future__ import annotations

_PREFIX = "lineside/v1"


def results(device: str) -> str:
    """Where a device publishes its results."""
    return f"{_PREFIX}/{device}/results"


def hint(device: str) -> str:
    """Where the control plane says that a new desired document waits; a hint only, nothing depends on it."""
    return f"{_PREFIX}/{device}/hint"


ALL_RESULTS = f"{_PREFIX}/+/results"


def device_of(topic: str) -> str | None:
    """The device a topic of ours belongs to, or None for a topic that is not ours."""
    parts = topic.split("/")
    return parts[2] if len(parts) >= 4 and parts[:2] == _PREFIX.split("/") else None


def may_publish(device: str, topic: str) -> bool:
    """Whether a device may publish there: its own Lineside topics, and any topic of the user's outside Lineside's."""
    if topic.startswith(f"{_PREFIX}/") or topic == _PREFIX:
        return topic == results(device)
    return not topic.startswith("$") and "+" not in topic and "#" not in topic


def may_subscribe(device: str, pattern: str) -> bool:
    """Whether a device may subscribe there: its own hint, and topics of the user's outside Lineside's."""
    first = pattern.split("/", 1)[0]
    return pattern == hint(device) or (
        first not in ("#", "+", "") and first != "lineside" and not first.startswith("$")
    )
