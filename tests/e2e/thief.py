"""Somebody who has taken over the control plane's machine: every file below its root, every key that lies there.

What they may do is what the operating system lets them: rewrite the database, the objects and the TUF folder, and sign
with whatever they find in R/keys. `everything_back` is how the owners clean up afterwards, with the online keys.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from lineside.contract.ids import digest_of
from lineside.server.adapters.signer import KeyFiles
from tests.e2e import documents
from tests.e2e.plant import Plant, Station
from tests.eventually import PATIENCE

Change = Callable[[Any], None]


class Thief:
    """Holds everything on the server."""

    def __init__(self, plant: Plant, developer_keys: Path) -> None:
        """`developer_keys` is a copy of R/keys from before the keys were taken over."""
        self.plant, self.folder = plant, plant.root / "tuf"
        self.old = KeyFiles(developer_keys)
        self.own = CryptoSigner.generate_ed25519()
        self._good = plant.folder / "good"

    def stolen(self) -> list[Signer]:
        """Every signing key there is on the server, and the thief's own."""
        return [*KeyFiles(self.plant.root / "keys").signers("*"), self.own]

    # --- metadata -------------------------------------------------------------------------------------------------

    def newest(self, role: str) -> Path:
        """The newest file of a role."""
        if role == "timestamp":
            return self.folder / "timestamp.json"
        return max(self.folder.glob(f"*.{role}.json"), key=lambda path: int(path.name.split(".")[0]))

    def forge(self, role: str, change: Callable[[Targets], None], *more: Signer) -> None:
        """Change the metadata of targets or of a role below it where it lies, sign it with every key there is, and
        have the snapshot and timestamp, whose keys are stolen, vouch for it."""
        path = self.newest(role)
        metadata: Metadata[Targets] = Metadata.from_file(str(path))
        change(metadata.signed)
        metadata.signatures.clear()
        for signer in (*self.stolen(), *more):
            metadata.sign(signer, append=True)
        metadata.to_file(str(path))
        self.vouch(role)

    def vouch(self, *roles: str) -> None:
        """A newer snapshot and timestamp, rightly signed with the stolen online keys."""
        keys = KeyFiles(self.plant.root / "keys")
        snapshot: Metadata[Snapshot] = Metadata.from_file(str(self.newest("snapshot")))
        for role in roles:
            file = self.newest(role)
            meta = MetaFile.from_data(int(file.name.split(".")[0]), file.read_bytes(), ["sha256"])
            snapshot.signed.meta[f"{role}.json"] = meta
        snapshot.signed.version += 1
        snapshot.sign(keys.signers("snapshot")[0])
        made = self.folder / f"{snapshot.signed.version}.snapshot.json"
        snapshot.to_file(str(made))
        timestamp: Metadata[Timestamp] = Metadata.from_file(str(self.newest("timestamp")))
        data = made.read_bytes()
        timestamp.signed.snapshot_meta = MetaFile.from_data(snapshot.signed.version, data, ["sha256"])
        timestamp.signed.version += 1
        timestamp.sign(keys.signers("timestamp")[0])
        timestamp.to_file(str(self.newest("timestamp")))

    def new_root(self, change: Callable[[Root], None]) -> None:
        """The next root, signed with every key there is but the owners'."""
        path = self.newest("root")
        metadata: Metadata[Root] = Metadata.from_file(str(path))
        metadata.signed.version += 1
        change(metadata.signed)
        metadata.signatures.clear()
        for signer in self.stolen():
            metadata.sign(signer, append=True)
        metadata.to_file(str(self.folder / f"{metadata.signed.version}.root.json"))

    def all_signatures(self, path: Path) -> int:
        """How many signatures a metadata file carries."""
        return len(Metadata.from_file(str(path)).signatures)

    # --- objects and database -------------------------------------------------------------------------------------

    def file(self, digest: str) -> Path:
        """Where an object lies."""
        value = digest.removeprefix("sha256:")
        return self.plant.root / "objects" / "sha256" / value[:2] / value

    def store(self, data: bytes) -> str:
        """An object of the thief's own."""
        path = self.file(digest_of(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest_of(data)

    def add(self, name: str, version: str, recipe: bytes, target: str, artifacts: list[dict[str, Any]]) -> str:
        """A component of the thief's own in the database; its recipe's digest."""
        digest = self.store(recipe)
        self.write(
            "INSERT OR REPLACE INTO components (name, version, kind, recipe_digest, recipe_size, artifacts, target, "
            "created_at) VALUES (?, ?, 'model', ?, ?, ?, ?, '2026-01-01T00:00:00.000Z')",
            (name, version, digest, len(recipe), json.dumps(artifacts), target),
        )
        return digest

    def write(self, statement: str, values: tuple[Any, ...]) -> None:
        """Anything in the database."""
        file = self.plant.root / "lineside.db"
        with contextlib.closing(sqlite3.connect(file, timeout=PATIENCE)) as database, database:
            database.execute(statement, values)

    def want(self, station: Station, changes: dict[str, dict[str, Any]]) -> int:
        """Rewrite components of a device's desired document; its new revision."""
        before = documents.components_of(self.plant.root, station.name)
        return documents.want(self.plant.root, station.name, documents.changed(before, changes))

    # --- before and after -----------------------------------------------------------------------------------------

    def remember(self, station: Station) -> None:
        """Copy what is right, so that it can be put back."""
        shutil.rmtree(self._good, ignore_errors=True)
        for part in ("tuf", "objects"):
            shutil.copytree(self.plant.root / part, self._good / part)
        self._desired = documents.components_of(self.plant.root, station.name)

    def everything_back(self, station: Station) -> None:
        """The owners put the files back. What devices have seen of snapshot and timestamp must be surpassed."""
        newest = {role: Metadata.from_file(str(self.newest(role))).signed.version for role in ("snapshot", "timestamp")}
        for path in self.folder.glob("*.json"):
            path.unlink()
        shutil.copytree(self._good / "tuf", self.folder, dirs_exist_ok=True)
        shutil.copytree(self._good / "objects", self.plant.root / "objects", dirs_exist_ok=True)
        self._surpass(newest)
        self.write("DELETE FROM components WHERE version = '9.0.0'", ())
        documents.want(self.plant.root, station.name, self._desired)

    def _surpass(self, seen: dict[str, int]) -> None:
        keys = KeyFiles(self.plant.root / "keys")
        snapshot: Metadata[Snapshot] = Metadata.from_file(str(self.newest("snapshot")))
        timestamp: Metadata[Timestamp] = Metadata.from_file(str(self.newest("timestamp")))
        snapshot.signed.version = max(snapshot.signed.version, seen["snapshot"]) + 1
        snapshot.sign(keys.signers("snapshot")[0])
        made = self.folder / f"{snapshot.signed.version}.snapshot.json"
        snapshot.to_file(str(made))
        timestamp.signed.snapshot_meta = MetaFile.from_data(snapshot.signed.version, made.read_bytes(), ["sha256"])
        timestamp.signed.version = max(timestamp.signed.version, seen["timestamp"]) + 1
        timestamp.sign(keys.signers("timestamp")[0])
        timestamp.to_file(str(self.newest("timestamp")))


def target_of(path: str, recipe: bytes) -> TargetFile:
    """A target as metadata names it."""
    return TargetFile(len(recipe), {"sha256": digest_of(recipe).removeprefix("sha256:")}, path)
