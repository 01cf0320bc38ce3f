"""Recipes of small components for tests."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from lineside.contract.ids import greengrass_digest

SLEEPER = 'echo "$LINESIDE_DEVICE started"; exec sleep 1000'


def artifact(name: str, digest: str, **more: Any) -> dict[str, Any]:
    """An artifact entry of a recipe."""
    return {
        "URI": f"lineside:sha256/{digest.removeprefix('sha256:')}/{name}",
        "Digest": greengrass_digest(digest),
        "Algorithm": "SHA-256",
    } | more


def recipe(
    name: str = "app",
    version: str = "1.0.0",
    *,
    artifacts: list[dict[str, Any]] | None = None,
    configuration: dict[str, Any] | None = None,
    dependencies: dict[str, str] | None = None,
    platform: dict[str, str] | None = None,
    **lifecycle: Any,
) -> dict[str, Any]:
    """A recipe with one manifest; lifecycle steps by keyword (Run, Probe, …). Without any, it sleeps."""
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentConfiguration": {"DefaultConfiguration": configuration or {}},
        "ComponentDependencies": {
            other: {"VersionRequirement": text, "DependencyType": "HARD"}
            for other, text in (dependencies or {}).items()
        },
        "Manifests": [
            {
                "Platform": platform or {"os": "linux"},
                "Lifecycle": lifecycle or {"Run": SLEEPER},
                "Artifacts": artifacts or [],
            }
        ],
    }


def archive(files: dict[str, bytes]) -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return buffer.getvalue()
