"""Components: a named, versioned unit with a recipe and artifacts, as the control plane lists it."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.contract.approval import Approval


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


class ComponentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of all component versions, or of those of one name, newest first."""

    components: tuple[Component, ...]
    offset: int
    total: int


class AddComponent(msgspec.Struct, frozen=True, kw_only=True):
    """Add a component of one's own: its recipe as written, YAML or JSON, and the files that it names, sent as blobs."""

    recipe: str
    artifacts: tuple[Artifact, ...] = ()
    stage: bool = False  # signed for twins only


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed a component's recipe: a TUF role and, where it is known, the person, at which target path."""

    role: str
    target: str
    by: str = ""
    at: str | None = None


class ComponentUse(msgspec.Struct, frozen=True, kw_only=True):
    """A device and a component version: whether the device should run it, and as what it reports it."""

    device: str
    wanted: bool
    state: str | None = None  # a component state; None: it does not run it


class ComponentDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A component version with everything that is known about it."""

    component: Component
    recipe: dict[str, Any]
    signed: tuple[Signed, ...] = ()
    used: int = 0  # on how many devices it is wanted or runs
    uses: tuple[ComponentUse, ...] = ()  # of these, the first 200 by name
    approval: Approval | None = None  # of an app that somebody was asked to sign; a model's files have the model's
