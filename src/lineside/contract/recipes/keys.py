"""Keys that nothing reads: misspelled, in the wrong place, or of a part of Greengrass that is not here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence as AbstractSequence

from lineside.contract.recipes.lifecycle import as_mapping, selection_keys
from lineside.contract.recipes.nodes import Mapping, Node, Reading, Scalar, Sequence
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS

RECIPE = (
    "RecipeFormatVersion",
    "ComponentName",
    "ComponentVersion",
    "ComponentDescription",
    "ComponentPublisher",
    "ComponentType",
    "ComponentSource",
    "ComponentConfiguration",
    "ComponentDependencies",
    "Manifests",
    "Lifecycle",
)
CONFIGURATION = ("DefaultConfiguration",)
DEPENDENCY = ("VersionRequirement", "DependencyType")
MANIFEST = ("Name", "Platform", "Lifecycle", "Selections", "Artifacts")
ARTIFACT = ("URI", "Unarchive", "Permission", "Digest", "Algorithm")
PERMISSION = ("Read", "Execute")
STEP = ("Script", "RequiresPrivilege", "Skipif", "Timeout", "Setenv")
PROBE = (*STEP, "Http")
LIFECYCLE = (
    "Setenv",
    "Install",
    "Run",
    "Startup",
    "Shutdown",
    "Recover",
    "Uninstall",
    "Bootstrap",
    "Probe",
    "GoldenInputs",
    "SoakSeconds",
)
_ELSEWHERE = {
    "runwith": "It belongs to a deployment: runWith of the component.",
    "systemresourcelimits": "It belongs to a deployment: runWith.systemResourceLimits of the component.",
    "dependencies": "Write them under ComponentDependencies, beside Manifests.",
    "containerparams": "It is for Lambda functions, which Lineside does not run.",
    "posix": "Name the platform in the manifest's Platform, or select with Selections.",
    "windows": "Name the platform in the manifest's Platform, or select with Selections.",
}


def check_keys(reading: Reading, root: Mapping, manifests: AbstractSequence[Mapping]) -> None:
    """Warn of every key that nothing reads."""
    _known(reading, root, RECIPE, "a recipe")
    _known(reading, root.get("ComponentConfiguration"), CONFIGURATION, "ComponentConfiguration")
    for _, node in _entries(root.get("ComponentDependencies")):
        _known(reading, node, DEPENDENCY, "a dependency")
    words = selection_keys(root)
    for manifest in manifests:
        _known(reading, manifest, MANIFEST, "a manifest")
        _lifecycle(reading, manifest, words)
        artifacts = manifest.get("Artifacts")
        for node in artifacts.items if isinstance(artifacts, Sequence) else []:
            _known(reading, node, ARTIFACT, "an artifact")
            _known(reading, node.get("Permission") if isinstance(node, Mapping) else None, PERMISSION, "Permission")
    _lifecycle(reading, root, words)


def _lifecycle(reading: Reading, parent: Mapping, words: frozenset[str]) -> None:
    found = parent.get("Lifecycle")
    if isinstance(found, Mapping | Sequence):
        _section(reading, as_mapping(reading, found, parent), words)


def _section(reading: Reading, section: Mapping, words: frozenset[str]) -> None:
    """A lifecycle, or what a selection key of one holds."""
    hint = "No manifest has it under Selections."
    _known(reading, section, (*LIFECYCLE, *words), "a lifecycle", hint)
    for key, node in section.entries:
        name = key.text.lower()
        if name in words and isinstance(node, Mapping):
            _section(reading, node, words)
        elif name in DEFAULT_TIMEOUTS:
            _step(reading, name, node, words)


def _step(reading: Reading, name: str, node: Node, words: frozenset[str]) -> None:
    _known(reading, node, (*(PROBE if name == "probe" else STEP), *words), f"the {name} step")
    for key, part in _entries(node):
        if key.text.lower() in words:
            _step(reading, name, part, words)


def _entries(node: Node | None) -> list[tuple[Scalar, Node]]:
    return node.entries if isinstance(node, Mapping) else []


def _known(reading: Reading, node: Node | None, known: AbstractSequence[str], where: str, hint: str = "") -> None:
    names = {name.lower(): name for name in known}
    for key, _ in _entries(node):
        if key.text.lower() in names:
            continue
        close = difflib.get_close_matches(key.text.lower(), names, n=1, cutoff=0.7)
        said = _ELSEWHERE.get(key.text.lower()) or (f"Did you mean {names[close[0]]}?" if close else hint)
        listed = f"Known are {', '.join(sorted(names.values()))}."
        reading.findings.warn(key.place, "recipe.unknown_key", key=key.text, where=where, hint=said or listed)
