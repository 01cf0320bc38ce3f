"""The state of the repository: the metadata that `timestamp.json` names, verified from root to the delegated roles.

What is read from disk is verified before it is built upon, so that a changed file is never signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Key, Metadata, Role, Root, Snapshot, Targets, Timestamp

from lineside.contract.ceremony import Quorum
from lineside.contract.errors import LinesideError
from lineside.contract.trust import ROLE_PATHS
from lineside.server.adapters.tuf.names import name_of, versions_of
from lineside.server.adapters.tuf.shelf import Shelf

T = TypeVar("T", Root, Timestamp, Snapshot, Targets)


@dataclass(frozen=True)
class State:
    """One state, whole."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    roles: dict[str, Metadata[Targets]]

    def __iter__(self) -> Iterator[tuple[str, Metadata[Any]]]:
        """Every role with its metadata."""
        yield "root", self.root
        yield "timestamp", self.timestamp
        yield "snapshot", self.snapshot
        yield "targets", self.targets
        yield from self.roles.items()

    def version(self, role: str) -> int:
        """The version of a role that counts now."""
        return int(dict(self)[role].signed.version)

    def role(self, name: str) -> Role:
        """Who may sign for a role, and how many must."""
        return delegator_of(name, self.root.signed, self.targets.signed).get_delegated_role(name)

    def keys_of(self, name: str) -> list[Key]:
        """The keys of a role."""
        delegator = delegator_of(name, self.root.signed, self.targets.signed)
        return [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(name).keyids]

    def quorum(self, name: str) -> Quorum:
        """So many of these keys must sign for a role."""
        return quorum_of(self.role(name))


def delegator_of(role: str, root: Root, targets: Targets) -> Root | Targets:
    """Who says which keys count for a role: root for the top-level roles, targets for those it delegates to."""
    return targets if role in ROLE_PATHS else root


def quorum_of(role: Role) -> Quorum:
    """A role's keys and threshold."""
    return Quorum(threshold=role.threshold, keys=tuple(role.keyids))


def load(shelf: Shelf) -> State:
    """The state on `shelf`. Raises `trust.metadata_damaged`."""
    root = _read(shelf, Root, "root", max(versions_of(shelf.names(), "root"), default=1))
    _verify(root.signed, "root", root)
    timestamp = _read(shelf, Timestamp, "timestamp", None)
    _verify(root.signed, "timestamp", timestamp)
    snapshot = _read(shelf, Snapshot, "snapshot", timestamp.signed.snapshot_meta.version)
    _verify(root.signed, "snapshot", snapshot)
    meta = snapshot.signed.meta
    targets = _read(shelf, Targets, "targets", meta["targets.json"].version)
    _verify(root.signed, "targets", targets)
    roles = {role: _read(shelf, Targets, role, meta[f"{role}.json"].version) for role in ROLE_PATHS}
    for role, delegated in roles.items():
        _verify(targets.signed, role, delegated)
    return State(root, timestamp, snapshot, targets, roles)


def _read(shelf: Shelf, kind: type[T], role: str, version: int | None) -> Metadata[T]:
    name = name_of(role, version)
    try:
        loaded: Metadata[T] = Metadata.from_bytes(shelf.read(name))
    except (OSError, RepositoryError) as error:
        raise LinesideError("trust.metadata_damaged", file=name, why=error) from error
    if not isinstance(loaded.signed, kind) or version not in (None, loaded.signed.version):
        raise LinesideError("trust.metadata_damaged", file=name, why="it is another file")
    return loaded


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[T]) -> None:
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise LinesideError("trust.metadata_damaged", file=f"{role}.json", why=error) from error
