"""A small real TUF repository for tests: the roles of `lineside.contract.trust`, real keys, real signatures."""

from __future__ import annotations

import datetime

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from lineside.contract.trust import ROLE_PATHS

_TOP = ("root", "targets", "snapshot", "timestamp")


class TufRepository:
    """Metadata files by name (`timestamp.json`, `3.snapshot.json`), signed anew by every `publish`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.targets: dict[str, bytes] = {}
        self.signers = {role: CryptoSigner.generate_ed25519() for role in (*_TOP, *ROLE_PATHS)}
        self.lifetime = datetime.timedelta(days=1)
        self._signed: dict[str, dict[str, TargetFile]] = {role: {} for role in ROLE_PATHS}
        self._version = 0
        self._put("root", self._root(), 1)
        self.publish()

    @property
    def root(self) -> str:
        """What a joining device is given."""
        return self.files["1.root.json"].decode()

    def add(self, path: str, data: bytes) -> None:
        """Sign a target with the role its path belongs to."""
        folder = path.split("/")[0]
        role = next(role for role, pattern in ROLE_PATHS.items() if pattern.startswith(folder))
        self._signed[role][path] = TargetFile.from_data(path, data, ["sha256"])
        self.targets[path] = data
        self.publish()

    def publish(self, *, wrong_key: str | None = None) -> None:
        """Sign everything anew with the next version; `wrong_key` names a role to sign with a key nobody trusts."""
        self._version += 1
        version = self._version
        meta = {}
        for role, targets in self._signed.items():
            self._put(role, Targets(version=version, expires=self._expiry(), targets=targets), version, wrong_key)
            meta[f"{role}.json"] = MetaFile(version=version)
        self._put("targets", self._targets(version), version, wrong_key)
        meta["targets.json"] = MetaFile(version=version)
        self._put("snapshot", Snapshot(version=version, expires=self._expiry(), meta=meta), version, wrong_key)
        timestamp = Timestamp(version=version, expires=self._expiry(), snapshot_meta=MetaFile(version=version))
        self._put("timestamp", timestamp, None, wrong_key)

    def _expiry(self) -> datetime.datetime:
        return (datetime.datetime.now(datetime.UTC) + self.lifetime).replace(microsecond=0)

    def _root(self) -> Root:
        root = Root(version=1, expires=self._expiry() + datetime.timedelta(days=365), consistent_snapshot=True)
        for role in _TOP:
            root.add_key(self.signers[role].public_key, role)
        return root

    def _targets(self, version: int) -> Targets:
        keys = {self.signers[role].public_key.keyid: self.signers[role].public_key for role in ROLE_PATHS}
        roles = {
            role: DelegatedRole(role, [self.signers[role].public_key.keyid], 1, True, paths=[pattern])
            for role, pattern in ROLE_PATHS.items()
        }
        return Targets(version=version, expires=self._expiry(), delegations=Delegations(keys, roles))

    def _put(
        self, role: str, signed: Root | Targets | Snapshot | Timestamp, version: int | None, wrong: str | None = None
    ) -> None:
        metadata = Metadata(signed)
        metadata.sign(CryptoSigner.generate_ed25519() if role == wrong else self.signers[role])
        name = f"{role}.json" if version is None else f"{version}.{role}.json"
        self.files[name] = metadata.to_bytes(JSONSerializer(compact=True))
