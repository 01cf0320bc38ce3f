"""Whether what was signed about a component is still what is here. Reads objects, changes nothing."""

from __future__ import annotations

import hashlib

import msgspec
from tuf.api.metadata import TargetFile

from lineside.contract.component import ComponentKind
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.trust import ApprovalStatement
from lineside.server.adapters.objects import ObjectStore
from lineside.server.components.store import ComponentRow

_OLD = "lineside.approval/1"
_WHAT = {
    "digest": "its file is another",
    "recipe": "it was packed again",
    "golden": "its golden set is another",
    "metrics": "its metrics are others",
    "gates": "its gates are others",
    "twin_rollout": "the twins tested it again",
    "twin_report": "the twins tested it again",
}


def why_void(
    objects: ObjectStore, row: ComponentRow, signed: TargetFile | None, wanted: ApprovalStatement | None = None
) -> str:
    """Why a signed target no longer holds for a component, empty when it does.

    `signed` is the target as the metadata has it, `wanted` the statement that would be made about the model today.
    """
    if signed is None:
        return "nobody has signed it"
    if signed.hashes.get("sha256") != row.recipe_digest.removeprefix("sha256:"):
        return "another recipe was signed"
    return (differs(signed.custom, wanted) if wanted is not None else "") or changed_bytes(objects, row)


def differs(custom: dict[str, object] | None, wanted: ApprovalStatement) -> str:
    """What about a model is no longer as the statement in `custom` says; empty when all of it is."""
    try:
        said = ApprovalStatement.from_custom(custom or {})
    except msgspec.ValidationError:
        return "its approval cannot be read"
    names = ("model", "version", "digest", "metrics") if said.schema == _OLD else ApprovalStatement.__struct_fields__
    changed = next((name for name in names if getattr(said, name) != getattr(wanted, name)), None)
    return _WHAT.get(changed, f"its {changed.replace('_', ' ')} is another") if changed else ""


def changed_bytes(objects: ObjectStore, row: ComponentRow) -> str:
    """Which bytes of a component are not those that its digests name; of an app only the recipe is looked at."""
    files = {row.recipe_digest: "its recipe"}
    if row.kind == ComponentKind.MODEL.value:
        files |= {one.digest: one.name for one in row.artifacts}
    return next((f"{what} was changed" for digest, what in files.items() if not _intact(objects, digest)), "")


def _intact(objects: ObjectStore, digest: str) -> bool:
    try:
        sha = hashlib.sha256()
        for piece in objects.stream(digest):
            sha.update(piece)
    except LinesideError as error:
        if error.kind is not Kind.MISSING:
            raise
        return False
    return "sha256:" + sha.hexdigest() == digest
