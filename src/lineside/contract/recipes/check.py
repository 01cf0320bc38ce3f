"""Everything that is wrong with a recipe, with lines: what devices refuse, and what its author cannot have meant.

Errors come from the very rules that devices read recipes by, applied to every manifest rather than one. Warnings are
about what is read but does nothing, or something else than it seems to.
"""

from __future__ import annotations

import re

from lineside.contract.recipes.artifacts import read_artifacts
from lineside.contract.recipes.builtin import is_builtin
from lineside.contract.recipes.document import parse
from lineside.contract.recipes.findings import Collected, Finding
from lineside.contract.recipes.header import Header, read_header
from lineside.contract.recipes.keys import check_keys
from lineside.contract.recipes.lifecycle import lifecycle_of, read_lifecycle
from lineside.contract.recipes.nodes import Mapping, Reading, Scalar, Sequence
from lineside.contract.recipes.platforms import ANY, ARCHITECTURES, LITE, OPERATING_SYSTEMS, pattern_of
from lineside.contract.recipes.reader import manifests, platform_of
from lineside.contract.recipes.texts import check_texts, check_words

_ALIASES = {"x86_64": "amd64", "x64": "amd64", "arm64": "aarch64", "armv8": "aarch64", "macos": "darwin", "i386": "x86"}


def check(data: bytes, *, local: bool = True) -> list[Finding]:
    """What is wrong with a recipe, from its first line to its last; empty when nothing is.

    `local` is the recipe as its author writes it; without it, as the control plane hands it out: with digests.
    """
    findings = Collected()
    reading = Reading(findings)
    root = parse(data, findings)
    if root is not None:
        _examine(reading, root, local=local)
    return findings.in_order()


def _examine(reading: Reading, root: Mapping, *, local: bool) -> None:
    header = read_header(reading, root)
    name = root.get("ComponentName")
    if local and name is not None and is_builtin(header.name):
        reading.invalid(name, f"{header.name} is the name of a component that comes with the agent")
    check_words(reading, reading.mapping(reading.mapping(root, "ComponentConfiguration"), "DefaultConfiguration"))
    found = manifests(reading, root)
    for at, manifest in enumerate(found):
        _examine_manifest(reading, root, manifest, header, local=local)
        _check_reach(reading, manifest, found[:at])
    if found and root.get("Lifecycle") is not None and all(_has_own(manifest) for manifest in found):
        lifecycle = root.get("Lifecycle") or root
        why = "every manifest has a Lifecycle of its own"
        reading.findings.warn(lifecycle.place, "recipe.never_used", what="The recipe's own Lifecycle", why=why)
    check_keys(reading, root, found)


def _examine_manifest(reading: Reading, root: Mapping, manifest: Mapping, header: Header, *, local: bool) -> None:
    reading.once(manifest, "a manifest")
    _check_platform(reading, manifest)
    read_artifacts(reading, manifest, header.name, local=local)
    read_lifecycle(reading, root, manifest)
    check_texts(reading, lifecycle_of(reading, root, manifest), header)
    own = manifest.get("Lifecycle")
    if isinstance(own, Sequence):
        why = "a list under Lifecycle is taken for one object here, and not at all by its nucleus"
        reading.findings.warn(own.place, "recipe.unlike_greengrass", why=why)
    selections = manifest.get("Selections")
    if selections is not None and _has_own(manifest):
        why = "the manifest has a Lifecycle of its own"
        reading.findings.warn(selections.place, "recipe.never_used", what="Selections", why=why)


def _has_own(manifest: Mapping) -> bool:
    own = manifest.get("Lifecycle")
    return (isinstance(own, Mapping) and bool(own.entries)) or (isinstance(own, Sequence) and bool(own.items))


def _check_platform(reading: Reading, manifest: Mapping) -> None:
    known = {"os": OPERATING_SYSTEMS, "architecture": ARCHITECTURES, "runtime": (LITE,)}
    for key, node in reading.mapping(manifest, "Platform").entries:
        value = node.text.lower() if isinstance(node, Scalar) else ""
        try:
            if pattern_of(value) is not None or value in ("", *ANY):
                continue
        except re.error as error:
            reading.invalid(node, f"a Platform has a regular expression that cannot be read: {error}")
            continue
        words = known.get(key.text.lower())
        if words is not None and value not in words:
            hint = f"Write {_ALIASES[value]}." if value in _ALIASES else f"Known are {', '.join(words)}, and *."
            reading.findings.warn(node.place, "recipe.unknown_word", key=key.text, word=value, hint=hint)


def _check_reach(reading: Reading, manifest: Mapping, earlier: list[Mapping]) -> None:
    """A manifest behind one that fits wherever it would."""
    own = platform_of(reading, manifest)
    for other in earlier:
        wide = {key: value.lower() for key, value in platform_of(reading, other).items() if value.lower() not in ANY}
        lite = wide.get("runtime") == LITE  # taken only when nothing else fits, wherever it stands
        if not lite and all(own.get(key, "*").lower() == value for key, value in wide.items()):
            why = f"the one at line {other.place.line} fits wherever it would"
            reading.findings.warn(manifest.place, "recipe.never_used", what="This manifest", why=why)
            return
