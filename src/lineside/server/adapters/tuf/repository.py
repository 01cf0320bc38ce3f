"""The repository on disk: R/tuf/N.<role>.json and timestamp.json, with consistent snapshots.

What counts is what `timestamp.json` names; it is renamed in last, so a kill between any two files leaves the state
before, whole. Files that no timestamp names are never served to a client that follows the metadata, and their version
numbers are not used again: versions only grow.

What is read from disk is verified against the keys before it is built upon, so that a changed file is never signed.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.signer import Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from lineside.contract.errors import LinesideError
from lineside.contract.trust import ROLE_PATHS
from lineside.server.adapters.files import write_atomic
from lineside.server.adapters.signer import KeyFiles, KeyRing
from lineside.server.adapters.tuf import metadata as rules

T = TypeVar("T", Root, Timestamp, Snapshot, Targets)

_NAME = re.compile(r"(?:(?P<version>[1-9][0-9]*)\.)?(?P<role>[a-z]+)\.json")
_KEPT = 20  # older versions stay this long for a client that reads right now
_SERIALIZER = JSONSerializer(compact=True)


@dataclass(frozen=True, kw_only=True)
class NewTarget:
    """A target to sign: its path, the bytes' digest (`sha256:<hex>`) and size, and what its signer says about it."""

    path: str
    digest: str
    size: int
    custom: dict[str, Any] | None = None


@dataclass(frozen=True)
class _State:
    """The state that `timestamp.json` names, verified from root to the delegated roles."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    roles: dict[str, Metadata[Targets]]


class Repository:
    """Signs targets and keeps the metadata fresh."""

    def __init__(
        self,
        folder: Path,
        keys: KeyRing,
        now: Callable[[], datetime],
        write: Callable[[Path, bytes], None] = write_atomic,
    ) -> None:
        """Open the repository in `folder`, or make it. `now` gives the time in UTC. Raises `trust.metadata_damaged`."""
        self._folder, self._keys, self._now, self._write = folder, keys, now, write
        folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self._path("timestamp").exists():
                self._create()

    @classmethod
    def below(cls, root: Path, now: Callable[[], datetime]) -> Repository:
        """The control plane's repository, R/tuf with the keys of R/keys. Cheap: every user may open its own."""
        return cls(root / "tuf", KeyFiles(root / "keys"), now)

    def publish(self, targets: Sequence[NewTarget]) -> bool:
        """Sign targets, each with the role of its path; False when all were signed already.

        A path that is signed keeps what its signer said. Raises `trust.target_exists` when it names other bytes,
        `trust.no_role`, `trust.metadata_damaged`.
        """
        with self._locked():
            state = self._load()
            changed = {role for new in targets if (role := self._add(state, new)) is not None}
            if changed:
                self._write_roles(state, changed)
            return bool(changed)

    def find(self, path: str) -> TargetFile | None:
        """The signed target at `path`, or None. Raises `trust.metadata_damaged`."""
        with self._locked():
            return self._load().roles[rules.role_of(path)].signed.targets.get(path)

    def renew(self) -> tuple[str, ...]:
        """Sign anew what is past half of its lifetime, and drop old versions; the names of the roles renewed."""
        with self._locked():
            state, now = self._load(), self._now()
            due = {role for role, signed in _signed(state) if rules.is_due(role, signed.expires, now)}
            if "root" in due:
                self._put("root", state.root, state.root.signed.version + 1)
            if due & {"snapshot", "targets", *ROLE_PATHS}:
                self._write_roles(state, due & {"targets", *ROLE_PATHS})
            elif "timestamp" in due:
                self._put("timestamp", state.timestamp, state.timestamp.signed.version + 1)
            self._prune(state)
            return tuple(sorted(due))

    def read(self, name: str) -> bytes:
        """A metadata file as a client asks for it (`timestamp.json`, `3.snapshot.json`). Raises `request.not_found`."""
        matched = _NAME.fullmatch(name)
        if matched is None or (matched["version"] is None) != (matched["role"] == "timestamp"):
            raise LinesideError("request.not_found", what="metadata file", name=name)
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            raise LinesideError("request.not_found", what="metadata file", name=name) from None

    def current(self) -> dict[str, bytes]:
        """The metadata files that count now, each by the name it is asked for, and every root there was.

        Raises `trust.metadata_damaged`.
        """
        with self._locked():
            versions = [(role, signed.version) for role, signed in _signed(self._load()) if role != "root"]
            versions += [("root", version) for version in sorted(self._versions("root"))]
            paths = [self._path(role, version) for role, version in versions]
            return {path.name: path.read_bytes() for path in paths}

    def sign(self, role: str, data: bytes) -> Signature:
        """A signature by a role's key over bytes that are no TUF metadata: say so in their first line."""
        return self._keys.signer(role).sign(data)

    def root(self) -> str:
        """The newest root metadata as JSON text: what a device that joins is given to believe."""
        return self._path("root", max(self._versions("root"))).read_text()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, whichever thread, process or object it is."""
        with (self._folder / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _create(self) -> None:
        """Write the first versions. Nobody has seen a repository without timestamp: a half-made one is made again."""
        if max(self._versions("snapshot"), default=1) > 1:
            raise LinesideError("trust.metadata_damaged", file="timestamp.json", why="it is missing")
        now = self._now()
        keys = {role: self._keys.signer(role).public_key for role in rules.ROLES}
        self._put("root", Metadata(rules.first_root(keys, now)), 1)
        self._put("targets", Metadata(rules.first_targets(keys, now)), 1)
        for role in ROLE_PATHS:
            self._put(role, Metadata(Targets()), 1)
        meta = {f"{role}.json": self._meta(role, 1) for role in ("targets", *ROLE_PATHS)}
        self._put("snapshot", Metadata(Snapshot(meta=meta)), 1)
        self._put("timestamp", Metadata(Timestamp(snapshot_meta=self._meta("snapshot", 1))), 1)

    def _add(self, state: _State, new: NewTarget) -> str | None:
        """Put a target into its role's metadata; the role, or None when it is there already."""
        role = rules.role_of(new.path)
        targets, hashes = state.roles[role].signed.targets, {"sha256": new.digest.removeprefix("sha256:")}
        present = targets.get(new.path)
        if present is not None:
            if present.hashes != hashes:
                raise LinesideError("trust.target_exists", path=new.path)
            return None
        extra = None if new.custom is None else {"custom": new.custom}
        targets[new.path] = TargetFile(new.size, hashes, new.path, extra)
        return role

    def _write_roles(self, state: _State, roles: Iterable[str]) -> None:
        """Sign new versions of `roles`, then the snapshot that names them, then the timestamp that names it."""
        for role in sorted(roles):
            version = self._next(role)
            self._put(role, state.targets if role == "targets" else state.roles[role], version)
            state.snapshot.signed.meta[f"{role}.json"] = self._meta(role, version)
        version = self._next("snapshot")
        self._put("snapshot", state.snapshot, version)
        state.timestamp.signed.snapshot_meta = self._meta("snapshot", version)
        self._put("timestamp", state.timestamp, state.timestamp.signed.version + 1)

    def _put(self, role: str, metadata: Metadata[T], version: int) -> None:
        metadata.signed.version = version
        metadata.signed.expires = rules.expiry(role, self._now())
        metadata.sign(self._keys.signer(role))
        self._write(self._path(role, version), metadata.to_bytes(_SERIALIZER))

    def _meta(self, role: str, version: int) -> MetaFile:
        return MetaFile.from_data(version, self._path(role, version).read_bytes(), ["sha256"])

    def _load(self) -> _State:
        root_version = max(self._versions("root"), default=1)
        root = self._read(Root, "root", root_version)
        self._verify(root, "root", root)
        timestamp = self._read(Timestamp, "timestamp", None)
        self._verify(root, "timestamp", timestamp)
        snapshot = self._read(Snapshot, "snapshot", timestamp.signed.snapshot_meta.version)
        self._verify(root, "snapshot", snapshot)
        meta = snapshot.signed.meta
        targets = self._read(Targets, "targets", meta["targets.json"].version)
        self._verify(root, "targets", targets)
        roles = {role: self._read(Targets, role, meta[f"{role}.json"].version) for role in ROLE_PATHS}
        for role, delegated in roles.items():
            self._verify(targets, role, delegated)
        return _State(root, timestamp, snapshot, targets, roles)

    def _read(self, kind: type[T], role: str, version: int | None) -> Metadata[T]:
        path = self._path(role, version)
        try:
            loaded: Metadata[T] = Metadata.from_bytes(path.read_bytes())
        except (OSError, RepositoryError) as error:
            raise LinesideError("trust.metadata_damaged", file=path.name, why=error) from error
        if not isinstance(loaded.signed, kind) or version not in (None, loaded.signed.version):
            raise LinesideError("trust.metadata_damaged", file=path.name, why="it is another file")
        return loaded

    @staticmethod
    def _verify(delegator: Metadata[Root] | Metadata[Targets], role: str, metadata: Metadata[T]) -> None:
        try:
            delegator.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError as error:
            raise LinesideError("trust.metadata_damaged", file=f"{role}.json", why=error) from error

    def _prune(self, state: _State) -> None:
        """Remove versions no client can still be reading. Root keeps all: a client follows them one by one."""
        current = {role: signed.version for role, signed in _signed(state)}
        for role in ("snapshot", "targets", *ROLE_PATHS):
            for version in self._versions(role):
                if version < current[role] - _KEPT:
                    self._path(role, version).unlink(missing_ok=True)

    def _next(self, role: str) -> int:
        return max(self._versions(role), default=0) + 1

    def _versions(self, role: str) -> list[int]:
        names = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return [int(name["version"]) for name in names if name and name["version"] and name["role"] == role]

    def _path(self, role: str, version: int | None = None) -> Path:
        return self._folder / (f"{role}.json" if role == "timestamp" else f"{version}.{role}.json")


def _signed(state: _State) -> list[tuple[str, Signed]]:
    top: list[tuple[str, Signed]] = [
        ("root", state.root.signed),
        ("timestamp", state.timestamp.signed),
        ("snapshot", state.snapshot.signed),
        ("targets", state.targets.signed),
    ]
    return top + [(role, metadata.signed) for role, metadata in state.roles.items()]
