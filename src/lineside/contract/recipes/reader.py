"""Component recipes in the AWS Greengrass V2 format, read for one platform.

Keys are read without regard to case, JSON or YAML. What Lineside does not do is refused by name rather than ignored:
plug-ins, Lambda functions, Docker images, archives other than ZIP. docs/recipes.md says what each key does.
Source: AWS IoT Greengrass V2 component recipe reference (RecipeFormatVersion 2020-01-25).
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AbstractMapping

from lineside.contract.errors import LinesideError
from lineside.contract.recipes.artifacts import read_artifacts
from lineside.contract.recipes.document import parse
from lineside.contract.recipes.findings import Strict
from lineside.contract.recipes.header import read_header
from lineside.contract.recipes.lifecycle import read_lifecycle
from lineside.contract.recipes.nodes import Mapping, Reading
from lineside.contract.recipes.platforms import LITE, matches
from lineside.contract.recipes.recipe import Recipe

MAX_MANIFESTS = 100


def read_recipe(data: bytes, platform: AbstractMapping[str, str], *, local: bool = False) -> Recipe:
    """The recipe in `data` for a platform such as {"os": "linux", "architecture": "amd64"}.

    With `local` its artifacts may be named as authors name them, without digests (then `digest` is empty): for local
    deployments, which nobody signed. Raises `recipe.invalid`, `recipe.unsupported`, `recipe.no_platform`,
    `recipe.version`, `recipe.dependency_cycle`.
    """
    findings = Strict()
    reading = Reading(findings)
    root = parse(data, findings)
    if root is None:
        raise LinesideError("recipe.invalid", why="it is not an object")
    header = read_header(reading, root)
    manifest = _choose(reading, root, header.name, platform)
    lifecycle = read_lifecycle(reading, root, manifest)
    return Recipe(
        name=header.name,
        version=header.version,
        description=header.description,
        publisher=header.publisher,
        default_configuration=header.default_configuration,
        dependencies=header.dependencies,
        lifecycle=lifecycle.steps,
        setenv=lifecycle.setenv,
        soak_seconds=lifecycle.soak_seconds,
        artifacts=read_artifacts(reading, manifest, header.name, local=local),
    )


def manifests(reading: Reading, root: Mapping) -> list[Mapping]:
    """Every manifest; at least one must be there."""
    found = reading.items(root, "Manifests")
    if not 0 < len(found) <= MAX_MANIFESTS:
        why = f"it has more than {MAX_MANIFESTS} Manifests" if found else "it has no Manifests"
        reading.invalid(root.get("Manifests") or root, why)
        return []
    for node in found:
        if not isinstance(node, Mapping):
            reading.invalid(node, "a manifest is not an object")
    return [node for node in found if isinstance(node, Mapping)]


def platform_of(reading: Reading, manifest: Mapping) -> dict[str, str]:
    """What a manifest says of its platform, keys in lower case."""
    entries = reading.mapping(manifest, "Platform").entries
    return {key.text.lower(): reading.text(node, key.text) or "*" for key, node in entries}


def _choose(reading: Reading, root: Mapping, name: str, platform: AbstractMapping[str, str]) -> Mapping:
    """The first manifest whose platform is this device's; one for nucleus lite only when no other is."""
    candidates = manifests(reading, root)
    for device in (platform, {**platform, "runtime": LITE}):
        for manifest in candidates:
            try:
                if matches(platform_of(reading, manifest), device):
                    return manifest
            except re.error as error:
                reading.invalid(manifest, f"a Platform has a regular expression that cannot be read: {error}")
    raise LinesideError("recipe.no_platform", name=name, platform=", ".join(f"{k} {v}" for k, v in platform.items()))
