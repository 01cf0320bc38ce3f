"""Components: a named, versioned unit with a recipe and artifacts, as the control plane lists it."""

from __future__ import annotations

import enum

import msgspec


class ComponentKind(enum.Enum):
    """Who must sign it: approvers sign models, builders sign apps."""

    MODEL = "model"
    APP = "app"


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a component; `size` in bytes."""

    name: str
    digest: str
    size: int


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A component version. `target` is the TUF path of its recipe once it is signed for the fleet, else None."""

    name: str
    version: str
    kind: ComponentKind
    recipe_digest: str
    recipe_size: int
    artifacts: tuple[Artifact, ...]
    created_at: str
    target: str | None = None  # models/… or apps/…: what devices accept
    staging_target: str | None = None  # staging/…: what only twins accept
    model: str | None = None  # name:version when it carries a model
