"""Facts by which devices are selected: what a report says about its device, as texts under fixed names.

A report's facts vary from minute to minute; these stay as they are until something worth knowing has changed, so that a
device says so once and the control plane writes it once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LABELS = "labels"
"""The fact under which a device hands in what its own configuration labels it with."""
ACCELERATORS = "accelerators"
"""The fact that counts a device's accelerators by kind, `{"hailo": 1}`; `accelerator.hailo` is one of them."""

_SAID = {
    "os": "os",
    "architecture": "arch",
    "cores": "cpus",
    "agent": "agent_version",
    "python": "python",
    "kernel": "kernel",
    "link": "link",
    "time_zone": "time_zone",
    "model": "model",
    "profile": "profile",
    "limits": "limits",
}
_MEGABYTES = {"memory_bytes": "memory_mb", "disk_free_bytes": "disk_free_mb"}
_VARIES = "disk_free_mb"
_WITHIN = 0.1  # of the value told before: less is no news
_LONGEST = 255
_ACCELERATOR = "accelerator."
_KIND = re.compile("[a-z0-9][a-z0-9-]{0,30}")

VERSIONS = frozenset({"agent_version", "python", "kernel"})
"""Facts that compare as versions do: 1.10 is newer than 1.9."""
FACTS = frozenset({*_SAID.values(), *_MEGABYTES.values(), ACCELERATORS})


def is_fact(key: str) -> bool:
    """Whether devices themselves say this, so that nobody may use it as a label."""
    return key in FACTS or key.startswith(_ACCELERATOR)


def selectable(facts: Mapping[str, Any], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The facts that select, sorted by name; memory and disk in MB (1,000,000 bytes).

    What is not said stays as it was `before`. Free disk does too, until it is off by more than a tenth.
    """
    known = dict(before or {})
    found = {ours: _text(facts[theirs]) for theirs, ours in _SAID.items() if facts.get(theirs) not in (None, "")}
    for theirs, ours in _MEGABYTES.items():
        value = facts.get(theirs)
        if isinstance(value, int | float) and value > 0:
            found[ours] = str(int(value / 1_000_000))
    if _VARIES in found:
        found[_VARIES] = _settled(int(found[_VARIES]), known.get(_VARIES, ""))
    kinds = facts.get(ACCELERATORS)
    if isinstance(kinds, Mapping):
        known = {key: value for key, value in known.items() if not key.startswith(_ACCELERATOR)}
        found |= _accelerators(kinds)
    known = {key: value for key, value in known.items() if is_fact(key)}
    return dict(sorted((known | found).items()))


def _accelerators(kinds: Mapping[Any, Any]) -> dict[str, str]:
    names = [kind for kind in kinds if isinstance(kind, str) and _KIND.fullmatch(kind)]
    counts = {kind: kinds[kind] for kind in sorted(names)[:8] if isinstance(kinds[kind], int) and kinds[kind] > 0}
    found = {f"{_ACCELERATOR}{kind}": str(count) for kind, count in counts.items()}
    return found | {ACCELERATORS: str(sum(counts.values()))}


def suggested(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The labels that the device's own configuration gives it, unchecked."""
    labels = facts.get(LABELS)
    return dict(labels) if isinstance(labels, Mapping) else {}


def _settled(megabytes: int, before: str) -> str:
    """Two digits of a value that varies, or what was told before while that is near enough."""
    if before.isdecimal() and abs(megabytes - int(before)) <= _WITHIN * int(before):
        return before
    digits = max(0, len(str(megabytes)) - 2)
    return str(megabytes // 10**digits * 10**digits)


def _text(value: Any) -> str:
    kept = "".join(letter for letter in str(value) if letter.isprintable())
    return kept[:_LONGEST].strip()
