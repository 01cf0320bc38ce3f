"""The repository: N.<role>.json and timestamp.json on a shelf (R/tuf, or a table), with consistent snapshots.

What counts is what `timestamp.json` names; it is written last, so a kill between any two files leaves the state
before, whole. Files that no timestamp names are never served to a client that follows the metadata, and their version
numbers are not used again: versions only grow. What other people signed is published through the journal.

The control plane signs with the keys that lie here, and only where they are enough; everything else is drafted, signed
elsewhere and brought back (`draft`, `publish_signed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from securesystemslib.signer import Key, Signature, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from lineside.contract.ceremony import TAKEN_OVER, ProposedFile
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.trust import ROLE_PATHS
from lineside.server.adapters.signer import KeyRing
from lineside.server.adapters.tuf import metadata as rules
from lineside.server.adapters.tuf import signed as parts
from lineside.server.adapters.tuf.draft import Draft, NewTarget
from lineside.server.adapters.tuf.journal import Journal
from lineside.server.adapters.tuf.names import is_metadata, name_of, versions_of
from lineside.server.adapters.tuf.shelf import Shelf
from lineside.server.adapters.tuf.signed import SignedFile
from lineside.server.adapters.tuf.state import State, load

T = TypeVar("T", Root, Timestamp, Snapshot, Targets)

_KEPT = 20  # older versions stay this long for a client that reads right now


class Repository:
    """Signs targets and keeps the metadata fresh."""

    def __init__(
        self,
        shelf: Shelf,
        keys: KeyRing,
        now: Callable[[], datetime],
    ) -> None:
        """Open the repository on `shelf`, or make it. `now` gives the time in UTC. Raises `trust.metadata_damaged`.

        Cheap: every user may open its own.
        """
        self._shelf, self._keys, self._now = shelf, keys, now
        self._journal = Journal(shelf, keys.forget)
        with self._locked():
            if name_of("timestamp") not in shelf.names():
                self._create()

    # --- signing with the keys that lie here ----------------------------------------------------------------------

    def publish(self, targets: Sequence[NewTarget]) -> bool:
        """Sign targets, each with the role of its path; False when all were signed already.

        A path that is signed keeps what its signer said. Raises `trust.target_exists` when it names other bytes,
        `trust.no_role`, `trust.keys_elsewhere`, `trust.metadata_damaged`.
        """
        with self._locked():
            state = load(self._shelf)
            draft = Draft(state, self._next, self._now())
            added = [draft.add(new) for new in targets]
            if not any(added):
                return False
            self._write_roles(state, {file.role: parts.of_text(file.text) for file in draft.files()})
            return True

    def renew(self) -> tuple[str, ...]:
        """Sign anew what is past half of its lifetime and can be signed here, and drop old versions; the names of the
        roles renewed."""
        with self._locked():
            state, now = load(self._shelf), self._now()
            old = {role for role, metadata in state if rules.is_due(role, metadata.signed.expires, now)}
            due = {role for role in old if self._can_sign(state, role)}
            if "root" in due:
                self._put("root", state.root, state.root.signed.version + 1, state.keys_of("root"))
            if due & {"snapshot", "targets", *ROLE_PATHS}:
                again = {role: metadata for role, metadata in state if role in due & {"targets", *ROLE_PATHS}}
                self._write_roles(state, again)
            elif "timestamp" in due:
                self._put("timestamp", state.timestamp, state.timestamp.signed.version + 1, state.keys_of("timestamp"))
            self._prune(state)
            return tuple(sorted(due))

    def can_sign(self, role: str) -> bool:
        """Whether the keys here are enough for a role. Raises `trust.metadata_damaged`."""
        with self._locked():
            return self._can_sign(load(self._shelf), role)

    def here(self, role: str) -> tuple[str, ...]:
        """The ids of a role's keys whose private halves lie here, whether metadata trusts them or not."""
        return tuple(signer.public_key.keyid for signer in self._keys.signers(role))

    def make_key(self, role: str) -> Key:
        """A new key for a role, kept here; nobody trusts it yet."""
        return self._keys.make(role).public_key

    def forget_key(self, key: str) -> None:
        """Delete a private key that lies here."""
        self._keys.forget(key)

    def forget_taken_over(self) -> None:
        """Delete private keys here of roles that people decide about, where metadata trusts them no longer: whoever
        published that deleted them from its own folder alone."""
        with self._locked():
            state = load(self._shelf)
            trusted = {key for role in rules.ROLES for key in state.role(role).keyids}
            for key in {key for role in TAKEN_OVER for key in self.here(role)} - trusted:
                self._keys.forget(key)

    def sign(self, role: str, data: bytes) -> Signature:
        """A signature by a role's key over bytes that are no TUF metadata: say so in their first line.

        Raises `trust.keys_elsewhere`.
        """
        with self._locked():
            return self._signers(role, load(self._shelf).keys_of(role))[0].sign(data)

    # --- signing with keys that lie elsewhere ---------------------------------------------------------------------

    def draft(self) -> Draft:
        """A draft of changes on the present state. Raises `trust.metadata_damaged`."""
        with self._locked():
            return Draft(load(self._shelf), self._next, self._now())

    def sign_here(self, file: ProposedFile) -> dict[str, str]:
        """Signatures (hex by key id) over a proposed file, by every key here that its quorums name."""
        wanted = {key for quorum in file.quorums for key in quorum.keys}
        signers = [one for one in self._keys.signers(file.role) if one.public_key.keyid in wanted]
        return {one.public_key.keyid: one.sign(file.text.encode()).signature for one in signers}

    def publish_signed(self, files: Sequence[SignedFile]) -> None:
        """Publish files that have all their signatures, as one; publishing what is published already changes nothing.

        Afterwards the private keys here that none of the changed roles trusts any more are deleted. Raises
        `trust.overtaken` when one is not newer than what counts, `trust.not_signed`, `trust.metadata_damaged`.
        """
        with self._locked():
            state = load(self._shelf)
            fresh = {file.role: file.metadata() for file in files if not self._published(state, file)}
            if not fresh:
                return
            parts.check(state, fresh)
            after = parts.applied(state, fresh)
            out: dict[str, bytes] = {}
            if "root" in fresh:
                out[name_of("root", after.root.signed.version)] = parts.to_bytes(after.root)
            for role in fresh.keys() - {"root"}:
                self._collect(out, after, role, fresh[role])
            self._collect_online(out, after)
            self._journal.publish(out, self._needless(state, after))

    def rehearse(self, files: Sequence[SignedFile]) -> None:
        """Raises what `publish_signed` would: `trust.overtaken`, `trust.not_signed`, `trust.metadata_damaged`."""
        with self._locked():
            parts.check(load(self._shelf), {file.role: file.metadata() for file in files})

    def signatures(self, role: str, version: int) -> dict[str, str]:
        """The signatures (hex by key id) that a version of a role's metadata lies here with."""
        with self._locked():
            found: Metadata[Targets] = Metadata.from_bytes(self._shelf.read(name_of(role, version)))
            return {key: one.signature for key, one in found.signatures.items()}

    def is_published(self, files: Iterable[SignedFile]) -> bool:
        """Whether exactly these files count now, or did. Raises `trust.metadata_damaged`."""
        with self._locked():
            state = load(self._shelf)
            return all(self._published(state, file) for file in files)

    # --- reading --------------------------------------------------------------------------------------------------

    def find(self, path: str) -> TargetFile | None:
        """The signed target at `path`, or None. Raises `trust.metadata_damaged`."""
        with self._locked():
            return load(self._shelf).roles[rules.role_of(path)].signed.targets.get(path)

    def state(self) -> State:
        """The state that counts now. Raises `trust.metadata_damaged`."""
        with self._locked():
            return load(self._shelf)

    def read(self, name: str) -> bytes:
        """A metadata file as a client asks for it (`timestamp.json`, `3.snapshot.json`). Raises `request.not_found`."""
        if not is_metadata(name):
            raise LinesideError("request.not_found", what="metadata file", name=name)
        if self._journal.open:
            with self._locked():
                pass  # whoever has the lock finishes it
        try:
            return self._shelf.read(name)
        except FileNotFoundError:
            raise LinesideError("request.not_found", what="metadata file", name=name) from None

    def digest(self, role: str) -> str:
        """The digest of the file that counts for a role."""
        with self._locked():
            version = load(self._shelf).version(role)
            return digest_of(self._shelf.read(name_of(role, version)))

    def current(self) -> dict[str, bytes]:
        """The metadata files that count now, each by the name it is asked for, and every root there was.

        Raises `trust.metadata_damaged`.
        """
        with self._locked():
            versions = [(role, one.signed.version) for role, one in load(self._shelf) if role != "root"]
            versions += [("root", version) for version in sorted(self._versions("root"))]
            names = [name_of(role, version) for role, version in versions]
            return {name: self._shelf.read(name) for name in names}

    def root(self) -> str:
        """The newest root metadata as JSON text: what a device that joins is given to believe."""
        with self._locked():
            return self._shelf.read(name_of("root", max(self._versions("root")))).decode()

    def stamp(self) -> int:
        """A number that changes whenever something is published."""
        if self._journal.open:
            with self._locked():
                pass
        return self._shelf.stamp(name_of("timestamp"))

    # --- inside ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, whichever thread, process or object it is; what a kill left open is finished first."""
        with self._shelf.locked():
            self._journal.finish()
            yield

    def _create(self) -> None:
        """Write the first versions. Nobody has seen a repository without timestamp: a half-made one is made again."""
        if max(self._versions("snapshot"), default=1) > 1:
            raise LinesideError("trust.metadata_damaged", file="timestamp.json", why="it is missing")
        now = self._now()
        signers = {role: (self._keys.signers(role) or [self._keys.make(role)])[0] for role in rules.ROLES}
        keys = {role: signer.public_key for role, signer in signers.items()}
        self._put("root", Metadata(rules.first_root(keys, now)), 1, [keys["root"]])
        self._put("targets", Metadata(rules.first_targets(keys, now)), 1, [keys["targets"]])
        for role in ROLE_PATHS:
            self._put(role, Metadata(Targets()), 1, [keys[role]])
        meta = {f"{role}.json": self._meta(role, 1) for role in ("targets", *ROLE_PATHS)}
        self._put("snapshot", Metadata(Snapshot(meta=meta)), 1, [keys["snapshot"]])
        stamp = Timestamp(snapshot_meta=self._meta("snapshot", 1))
        self._put("timestamp", Metadata(stamp), 1, [keys["timestamp"]])

    def _write_roles(self, state: State, roles: Mapping[str, Metadata[Targets]]) -> None:
        """Sign new versions of `roles`, then the snapshot that names them, then the timestamp that names it."""
        for role in sorted(roles):
            version = self._next(role)
            self._put(role, roles[role], version, state.keys_of(role))
            state.snapshot.signed.meta[f"{role}.json"] = self._meta(role, version)
        version = self._next("snapshot")
        self._put("snapshot", state.snapshot, version, state.keys_of("snapshot"))
        state.timestamp.signed.snapshot_meta = self._meta("snapshot", version)
        self._put("timestamp", state.timestamp, state.timestamp.signed.version + 1, state.keys_of("timestamp"))

    def _put(self, role: str, metadata: Metadata[T], version: int, keys: Iterable[Key]) -> None:
        self._shelf.write(name_of(role, version), self._signed(role, metadata, version, keys))

    def _signed(self, role: str, metadata: Metadata[T], version: int, keys: Iterable[Key]) -> bytes:
        metadata.signed.version = version
        metadata.signed.expires = rules.expiry(role, self._now())
        for number, signer in enumerate(self._signers(role, keys)):
            metadata.sign(signer, append=number > 0)
        return parts.to_bytes(metadata)

    def _signers(self, role: str, keys: Iterable[Key]) -> list[Signer]:
        """The signers here among a role's keys. Raises `trust.keys_elsewhere` when there is none."""
        wanted = {key.keyid for key in keys}
        found = [signer for signer in self._keys.signers(role) if signer.public_key.keyid in wanted]
        if not found:
            raise LinesideError("trust.keys_elsewhere", role=role)
        return found

    def _can_sign(self, state: State, role: str) -> bool:
        trusted = state.role(role)
        return len(set(trusted.keyids) & set(self.here(role))) >= trusted.threshold

    def _published(self, state: State, file: SignedFile) -> bool:
        if file.version > state.version(file.role):
            return False
        try:
            present: Metadata[Targets] = Metadata.from_bytes(self._shelf.read(name_of(file.role, file.version)))
        except FileNotFoundError:
            return False
        return present.signed_bytes == file.text.encode()

    def _collect(self, out: dict[str, bytes], after: State, role: str, metadata: Metadata[Targets]) -> None:
        version, data = metadata.signed.version, parts.to_bytes(metadata)
        out[name_of(role, version)] = data
        after.snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(version, data, ["sha256"])

    def _collect_online(self, out: dict[str, bytes], after: State) -> None:
        """The snapshot and the timestamp, by the keys that the new root trusts."""
        version = self._next("snapshot")
        data = self._signed("snapshot", after.snapshot, version, after.keys_of("snapshot"))
        out[name_of("snapshot", version)] = data
        after.timestamp.signed.snapshot_meta = MetaFile.from_data(version, data, ["sha256"])
        stamp = after.timestamp
        out["timestamp.json"] = self._signed("timestamp", stamp, stamp.signed.version + 1, after.keys_of("timestamp"))

    def _needless(self, before: State, after: State) -> tuple[str, ...]:
        """Private keys here of roles whose keys have changed, which nothing trusts after it."""
        changed = [role for role in rules.ROLES if set(before.role(role).keyids) != set(after.role(role).keyids)]
        trusted = {key for role in rules.ROLES for key in after.role(role).keyids}
        return tuple(key for role in changed for key in self.here(role) if key not in trusted)

    def _meta(self, role: str, version: int) -> MetaFile:
        return MetaFile.from_data(version, self._shelf.read(name_of(role, version)), ["sha256"])

    def _prune(self, state: State) -> None:
        """Remove versions no client can still be reading. Root keeps all: a client follows them one by one."""
        current = {role: metadata.signed.version for role, metadata in state}
        for role in ("snapshot", "targets", *ROLE_PATHS):
            for version in self._versions(role):
                if version < current[role] - _KEPT:
                    self._shelf.remove(name_of(role, version))

    def _next(self, role: str) -> int:
        return max(self._versions(role), default=0) + 1

    def _versions(self, role: str) -> list[int]:
        return versions_of(self._shelf.names(), role)
