"""Metadata that was signed elsewhere: from its text and signatures to a state that a client can follow. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signature, Targets
from tuf.api.serialization.json import JSONSerializer

from lineside.contract.ceremony_changes import part_of
from lineside.contract.errors import LinesideError
from lineside.contract.trust import ROLE_PATHS
from lineside.server.adapters.tuf.state import State, delegator_of

_SERIALIZER = JSONSerializer(compact=True)


@dataclass(frozen=True, kw_only=True)
class SignedFile:
    """A proposed file with its signatures: hex by key id."""

    role: str
    version: int
    text: str
    signatures: Mapping[str, str]

    def metadata(self) -> Metadata[Any]:
        """The file. Raises `trust.metadata_damaged` when its text is not what was signed."""
        found = of_text(self.text)
        found.signatures = {key: Signature(key, sig) for key, sig in self.signatures.items()}
        return found


def of_text(text: str) -> Metadata[Any]:
    """The metadata of a `signed` part as canonical JSON, not signed. Raises `trust.metadata_damaged`."""
    try:
        found: Metadata[Any] = Metadata.from_dict({"signed": part_of(text), "signatures": []})
    except (ValueError, KeyError, TypeError, AttributeError, RepositoryError) as error:
        raise LinesideError("trust.metadata_damaged", file="of the proposal", why=error) from error
    if found.signed_bytes != text.encode():
        raise LinesideError("trust.metadata_damaged", file="of the proposal", why="its text is not canonical")
    return found


def to_bytes(metadata: Metadata[Any]) -> bytes:
    """The file as it is served."""
    return metadata.to_bytes(_SERIALIZER)


def applied(state: State, fresh: Mapping[str, Metadata[Any]]) -> State:
    """The state with these files in it; snapshot and timestamp are copies to be changed."""
    root: Metadata[Root] = fresh.get("root", state.root)
    targets: Metadata[Targets] = fresh.get("targets", state.targets)
    roles = {role: fresh.get(role, metadata) for role, metadata in state.roles.items()}
    return replace(
        state,
        root=root,
        targets=targets,
        roles=roles,
        snapshot=deepcopy(state.snapshot),
        timestamp=deepcopy(state.timestamp),
    )


def check(state: State, fresh: Mapping[str, Metadata[Any]]) -> None:
    """Whether clients that follow `state` will follow it with these files.

    Raises `trust.overtaken`, `trust.not_signed`.
    """
    for role, metadata in fresh.items():
        now, wanted = state.version(role), metadata.signed.version
        if wanted <= now or (role == "root" and wanted != now + 1):
            raise LinesideError("trust.overtaken", role=role, version=wanted, current=now)
    after = applied(state, fresh)
    if "root" in fresh:
        _verify(state.root.signed, "root", after.root)
        _verify(after.root.signed, "root", after.root)
    for role in ("targets", *ROLE_PATHS):
        metadata = after.targets if role == "targets" else after.roles[role]
        _verify(delegator_of(role, after.root.signed, after.targets.signed), role, metadata)


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> None:
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise LinesideError("trust.not_signed", role=role, why=error) from error


def same_but_for_the_times(one: str, other: str) -> bool:
    """Whether two `signed` parts say the same and differ in nothing but when they expire."""
    first, second = part_of(one), part_of(other)
    first.pop("expires", None)
    second.pop("expires", None)
    return bool(first == second)
