"""A recipe's lifecycle: the manifest's own, or the global one with the manifest's selections taken, and its steps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from lineside.contract.recipes.nodes import Mapping, Node, Reading, Scalar, Sequence
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS, StepScript

SKIP_IF = re.compile(r"(exists|onpath) +(\S|\S.*\S)")
"""A condition of Skipif: `exists PATH` or `onpath COMMAND`."""

_LOOPBACK = re.compile(r"127(?:\.(?:0|[1-9][0-9]{0,2})){3}")

LONGEST = 86_400.0 * 366
"""Seconds: a time-out or a soak beyond a year is a mistake."""


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """What one manifest runs."""

    steps: dict[str, StepScript] = {}
    setenv: dict[str, str] = {}
    soak_seconds: float = 0.0


def read_lifecycle(reading: Reading, root: Mapping, manifest: Mapping) -> Lifecycle:
    """The lifecycle of a manifest."""
    chosen = lifecycle_of(reading, root, manifest)
    reading.once(chosen, "the lifecycle")
    steps = {}
    for key, node in chosen.entries:
        name = key.text.lower()
        step = _step(reading, name, node) if name in DEFAULT_TIMEOUTS else None
        if step is not None:
            steps[name] = step
    if "run" in steps and "startup" in steps:
        reading.invalid(chosen, "it has both Run and Startup")
    return Lifecycle(steps=steps, setenv=_environment(reading, chosen), soak_seconds=_soak(reading, chosen))


def lifecycle_of(reading: Reading, root: Mapping, manifest: Mapping) -> Mapping:
    """The object whose keys are the steps of a manifest."""
    own = as_mapping(reading, manifest.get("Lifecycle"), manifest)
    if own.entries:
        return own
    wanted = [*(reading.text(item, "a selection").lower() for item in reading.items(manifest, "Selections")), "all"]
    chosen = _select(as_mapping(reading, root.get("Lifecycle"), root), wanted, selection_keys(root))
    if isinstance(chosen, Mapping):
        return chosen
    reading.invalid(chosen, "the selected lifecycle is not an object")
    return Mapping(chosen.place, [])


def selection_keys(root: Mapping) -> frozenset[str]:
    """Every word that some manifest selects sections of the global lifecycle by."""
    manifests = root.get("Manifests")
    items = manifests.items if isinstance(manifests, Sequence) else []
    lists = [item.get("Selections") for item in items if isinstance(item, Mapping)]
    words = [word for found in lists if isinstance(found, Sequence) for word in found.items]
    return frozenset({"all"} | {word.text.lower() for word in words if isinstance(word, Scalar)})


def as_mapping(reading: Reading, node: Node | None, parent: Mapping) -> Mapping:
    """A lifecycle as an object; a list of objects, as samples for nucleus lite have it, is read as one object."""
    if node is None:
        return Mapping(parent.place, [])
    if isinstance(node, Mapping):
        return node
    if isinstance(node, Sequence) and all(isinstance(item, Mapping) for item in node.items):
        return Mapping(
            node.place, [entry for item in node.items if isinstance(item, Mapping) for entry in item.entries]
        )
    reading.invalid(node, "Lifecycle is not an object")
    return Mapping(node.place, [])


def _select(node: Node, wanted: list[str], keywords: Iterable[str]) -> Node:
    """What the first wanted key holds, at any level; without one, the value less the keys nobody here selected."""
    if not isinstance(node, Mapping):
        return node
    for word in wanted:
        found = node.get(word)
        if found is not None:
            return _select(found, wanted, keywords)
    kept = [(key, value) for key, value in node.entries if key.text.lower() not in keywords]
    return Mapping(
        node.place,
        [(key, value if key.text.lower() == "setenv" else _select(value, wanted, keywords)) for key, value in kept],
    )


def _step(reading: Reading, key: str, node: Node) -> StepScript | None:
    """One step; None when it does nothing."""
    if isinstance(node, Scalar):
        return StepScript(script=node.text, timeout=DEFAULT_TIMEOUTS[key]) if node.text.strip() else None
    if not isinstance(node, Mapping):
        reading.invalid(node, f"the {key} step is neither text nor an object")
        return None
    if not node.entries:
        return None  # a selection that this manifest does not make
    reading.once(node, f"the {key} step")
    script, http = reading.optional(node, "Script") or "", _address(reading, key, node)
    if http is None and node.get("Script") is None and not _is_null(node, "script"):
        reading.invalid(node, f"the {key} step has no Script")
    if http is not None and script:
        reading.invalid(node, f"the {key} step has both Script and Http")
    step = StepScript(
        script=script,
        timeout=_timeout(reading, key, node),
        setenv=_environment(reading, node),
        skipif=_skip_if(reading, key, node),
        requires_privilege=_privilege(reading, key, node),
        http=http,
    )
    return step if script.strip() or http else None


def _is_null(node: Mapping, key: str) -> bool:
    return any(own.text.lower() == key for own, _ in node.entries)


def _address(reading: Reading, key: str, node: Mapping) -> str | None:
    found = node.get("Http")
    if found is None:
        return None
    address = reading.text(found, "Http")
    if key != "probe":
        reading.invalid(found, f"the {key} step cannot ask an address: only a Probe can")
    elif not is_local_address(address):
        reading.invalid(found, f"{address} is no http address on this device")
    return address


def is_local_address(address: str) -> bool:
    """Whether a probe may ask it: plain HTTP to this device itself. Variables may stand for host and port."""
    try:
        parts = urlsplit(re.sub(r"\{[^{}]*\}", "1", address))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or parts.username is not None or port == 0:
        return False
    if host == "localhost" or re.match(r"http://\{[^{}]*\}[:/]", address):
        return True
    return host == "::1" or _LOOPBACK.fullmatch(host) is not None


def _timeout(reading: Reading, key: str, node: Mapping) -> float:
    found = node.get("Timeout")
    return DEFAULT_TIMEOUTS[key] if found is None else _seconds(reading, found, f"the {key} time-out")


def _soak(reading: Reading, chosen: Mapping) -> float:
    found = chosen.get("SoakSeconds")
    return 0.0 if found is None else _seconds(reading, found, "SoakSeconds")


def _seconds(reading: Reading, node: Node, what: str) -> float:
    try:
        seconds = float(reading.text(node, what))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST:
        reading.invalid(node, f"{what} is no number of seconds up to a year")
        return 0.0
    return seconds


def _skip_if(reading: Reading, key: str, node: Mapping) -> str | None:
    found = node.get("Skipif")
    if found is None:
        return None
    condition = reading.text(found, "Skipif").strip()
    if condition and SKIP_IF.fullmatch(condition) is None:
        reading.invalid(found, f"the Skipif of the {key} step is neither `exists PATH` nor `onpath COMMAND`")
    return condition or None


def _privilege(reading: Reading, key: str, node: Mapping) -> bool:
    found = node.get("RequiresPrivilege")
    if found is None:
        return False
    text = reading.text(found, "RequiresPrivilege").lower()
    if text not in ("true", "false", "yes", "no", "on", "off"):
        reading.invalid(found, f"RequiresPrivilege of the {key} step is neither true nor false")
    return text in ("true", "yes", "on")


def _environment(reading: Reading, parent: Mapping) -> dict[str, str]:
    found = reading.mapping(parent, "Setenv")
    for key, _ in found.entries:
        if not key.text or "=" in key.text:
            reading.invalid(key, f"{key.text!r} is no name of a variable")
    return {key.text: reading.text(node, f"the variable {key.text}") for key, node in found.entries}
