"""Trust: what is signed, by which TUF role, under which path, and what a device accepts.

    root ─► targets ─┬─ approvers  models/*    a person approved this model
                     ├─ builders   apps/*      code released by those who build it
                     └─ staging    staging/*   the control plane's own key; only twins accept it
    snapshot, timestamp: the control plane's own keys, short expiry (TUF spec 1.0, sections 4 and 5)

A target is a component's recipe. Its artifacts are covered through the SHA-256 digests inside the recipe.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.component import ComponentKind
from lineside.contract.ids import content_digest
from lineside.contract.model import GateResult, Metrics

ROLE_PATHS = {"approvers": "models/*", "builders": "apps/*", "staging": "staging/*"}
_FOLDER = {ComponentKind.MODEL: "models", ComponentKind.APP: "apps"}


def release_target(kind: ComponentKind, name: str, version: str) -> str:
    """The TUF target path of a released component's recipe."""
    return f"{_FOLDER[kind]}/{name}-{version}.json"


def staging_target(name: str, version: str) -> str:
    """The TUF target path of a component's recipe for twins."""
    return f"staging/{name}-{version}.json"


def accepts(target: str, *, twin: bool) -> bool:
    """Whether a device may install this target: released ones, and staged ones on a twin."""
    folder = target.split("/", 1)[0]
    return folder in ("models", "apps") or (twin and folder == "staging")


class ApprovalStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What approvers sign about a model, stored in the `custom` field of its TUF target.

    It holds nothing but what was judged, so the same model, numbers and twin report are the same statement whoever
    proposes it; who signed it is told by the signatures.
    """

    schema: str = "lineside.approval/2"
    model: str
    version: int
    digest: str  # of the model's file
    recipe: str = ""  # digest of the recipe that brings the file to devices
    golden: str = ""
    metrics: dict[str, Metrics]  # split -> metrics
    gates: tuple[GateResult, ...] = ()
    twin_rollout: str | None
    twin_report: str | None = None  # digest of a `TwinReport`
    run: str | None = None
    started_by: str = ""  # who started the run
    dataset: str | None = None
    dataset_digest: str | None = None

    @property
    def label(self) -> str:
        """`name:version`, as people write it."""
        return f"{self.model}:{self.version}"

    @property
    def content(self) -> str:
        """The digest that names this statement."""
        return content_digest(self.to_custom())

    def to_custom(self) -> dict[str, Any]:
        """The statement as a TUF target's `custom`: fractions as text, which is all that canonical JSON can sign."""
        signed: dict[str, Any] = _without_fractions(msgspec.to_builtins(self))
        return signed

    @classmethod
    def from_custom(cls, custom: dict[str, Any]) -> ApprovalStatement:
        """The inverse of `to_custom`. Raises msgspec.ValidationError."""
        return msgspec.convert(custom, cls, strict=False)


def _without_fractions(value: Any) -> Any:
    match value:
        case float():
            return repr(value)
        case dict():
            return {name: _without_fractions(one) for name, one in value.items()}
        case list() | tuple():
            return [_without_fractions(one) for one in value]
        case _:
            return value
