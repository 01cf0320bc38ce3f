"""MQTT topics: the only place that builds or parses one."""

from __future__ import annotations

_PREFIX = "lineside/v1"
CONTROL_PLANE = "@control-plane"
"""The name in the control plane's certificate at a broker that is not its own: devices' names begin with a letter or a
digit."""


def results(device: str) -> str:
    """Where a device publishes its results."""
    return f"{_PREFIX}/{device}/results"


def telemetry(device: str) -> str:
    """Where a device says, once a minute, how its runtimes do."""
    return f"{_PREFIX}/{device}/telemetry"


def drift(device: str) -> str:
    """Where a device says, every some minutes, what it has seen: windows of drift."""
    return f"{_PREFIX}/{device}/drift"


def hint(device: str) -> str:
    """Where the control plane says that a new desired document waits; a hint only, nothing depends on it."""
    return f"{_PREFIX}/{device}/hint"


ALL_RESULTS = f"{_PREFIX}/+/results"
ALL_TELEMETRY = f"{_PREFIX}/+/telemetry"
ALL_DRIFT = f"{_PREFIX}/+/drift"


def device_of(topic: str) -> str | None:
    """The device a topic of ours belongs to, or None for a topic that is not ours."""
    parts = topic.split("/")
    return parts[2] if len(parts) >= 4 and parts[:2] == _PREFIX.split("/") else None


def is_for_control_plane(device: str, topic: str) -> bool:
    """Whether the control plane takes what a device publishes there."""
    return topic in (results(device), telemetry(device), drift(device))


def may_publish(device: str, topic: str) -> bool:
    """Whether a device may publish there: its own Lineside topics, and any topic of the user's outside Lineside's."""
    if topic.startswith(f"{_PREFIX}/") or topic == _PREFIX:
        return is_for_control_plane(device, topic)
    return not topic.startswith("$") and "+" not in topic and "#" not in topic


def may_subscribe(device: str, pattern: str) -> bool:
    """Whether a device may subscribe there: its own hint, and topics of the user's outside Lineside's."""
    first = pattern.split("/", 1)[0]
    return pattern == hint(device) or (
        first not in ("#", "+", "") and first != "lineside" and not first.startswith("$")
    )


MAX_TOPIC = 65_535
"""Bytes of a topic or filter in UTF-8 (MQTT 3.1.1, section 4.7.3)."""


def is_topic(text: str) -> bool:
    """Whether something can be published there: not empty, no wildcards, no NUL, not too long."""
    return _sound(text) and "+" not in text and "#" not in text


def is_filter(text: str) -> bool:
    """Whether it is a topic filter: wildcards fill a whole level, `#` only the last."""
    levels = text.split("/")
    return (
        _sound(text)
        and all(level in ("+", "#") or ("+" not in level and "#" not in level) for level in levels)
        and "#" not in levels[:-1]
    )


def _sound(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAX_TOPIC and "\0" not in text
    except UnicodeEncodeError:
        return False
