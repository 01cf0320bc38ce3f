"""The part of a recipe that is the same on every platform: name, version, configuration, dependencies."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.recipes.nodes import Mapping, Node, Reading, Scalar, plain
from lineside.contract.recipes.recipe import RECIPE_FORMAT, Dependency
from lineside.contract.recipes.versions import is_exact, satisfies

_GENERIC = ("aws.greengrass.generic", "generic")
_TEMPORARY = (".tmp", ".old")  # endings of directories that are being built or removed


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe says whatever the platform."""

    name: str
    version: str
    description: str
    publisher: str
    default_configuration: dict[str, Any]
    dependencies: dict[str, Dependency]


def read_header(reading: Reading, root: Mapping) -> Header:
    """Read and check it."""
    reading.once(root, "the recipe")
    _check_format(reading, root)
    name = _name(reading, root)
    _check_kind(reading, root, name)
    configuration = reading.mapping(root, "ComponentConfiguration")
    reading.once(configuration, "ComponentConfiguration")
    return Header(
        name=name,
        version=_version(reading, root),
        description=_note(root, "ComponentDescription"),
        publisher=_note(root, "ComponentPublisher"),
        default_configuration=plain(reading.mapping(configuration, "DefaultConfiguration")),
        dependencies=_dependencies(reading, root, name),
    )


def _check_format(reading: Reading, root: Mapping) -> None:
    found = root.get("RecipeFormatVersion")
    if found is None or reading.text(found, "RecipeFormatVersion") != RECIPE_FORMAT:
        reading.invalid(found or root, f"RecipeFormatVersion is not {RECIPE_FORMAT}")


def _required(reading: Reading, root: Mapping, key: str) -> tuple[Node, str]:
    found = root.get(key)
    if found is None:
        reading.invalid(root, f"{key} is missing")
        return root, ""
    return found, reading.text(found, key)


def _name(reading: Reading, root: Mapping) -> str:
    node, name = _required(reading, root, "ComponentName")
    if node is not root and not is_name(name):
        reading.invalid(node, f"{name!r} is no component name")
    return name


def _version(reading: Reading, root: Mapping) -> str:
    node, version = _required(reading, root, "ComponentVersion")
    if node is not root and not is_exact(version):
        reading.findings.error(node.place, "recipe.version", text=version or "(nothing)")
    elif version.endswith(_TEMPORARY):
        reading.invalid(node, f"a version may not end in {' or '.join(_TEMPORARY)}")
    return version


def _note(root: Mapping, key: str) -> str:
    """A text that people read and nothing depends on."""
    found = root.get(key)
    return found.text if isinstance(found, Scalar) else ""


def _check_kind(reading: Reading, root: Mapping, name: str) -> None:
    kind = root.get("ComponentType")
    if kind is not None and reading.text(kind, "ComponentType").lower() not in _GENERIC:
        what = f"the component type {reading.text(kind, 'ComponentType')}"
        reading.findings.error(kind.place, "recipe.unsupported", name=name, what=what)
    source = root.get("ComponentSource")
    if source is not None:
        what = "a Lambda function (ComponentSource)"
        reading.findings.error(source.place, "recipe.unsupported", name=name, what=what)


def _dependencies(reading: Reading, root: Mapping, name: str) -> dict[str, Dependency]:
    found = reading.mapping(root, "ComponentDependencies")
    result = {}
    for key, node in found.entries:
        if not is_name(key.text):
            reading.invalid(key, f"{key.text!r} is no component name")
        if key.text == name:
            reading.findings.error(key.place, "recipe.dependency_cycle", cycle=f"{name} → {name}")
        result[key.text] = _dependency(reading, key.text, node)
    return result


def _dependency(reading: Reading, name: str, node: Node) -> Dependency:
    if isinstance(node, Mapping):
        reading.once(node, f"the dependency {name}")
        requirement = node.get("VersionRequirement")
        kind = (reading.optional(node, "DependencyType") or "HARD").upper()
    else:
        requirement, kind = node, "HARD"
    if kind not in ("HARD", "SOFT"):
        reading.invalid(node, f"the DependencyType of {name} is neither HARD nor SOFT")
    text = "*" if requirement is None else reading.text(requirement, f"the requirement of {name}") or "*"
    try:
        satisfies("0.0.0", text)
    except LinesideError as error:
        reading.findings.error((requirement or node).place, error.code, **error.params)
    return Dependency(requirement=text, hard=kind != "SOFT")
