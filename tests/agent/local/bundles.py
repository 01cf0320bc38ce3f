"""Bundles for tests: values that are sound, and whole files signed as a control plane signs them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata
from tuf.api.serialization.json import JSONSerializer

from lineside.contract.bundle import (
    Bundle,
    BundleArtifact,
    BundleSignature,
    BundleSignatures,
    artifact_path,
    metadata_path,
    signed_bytes,
    target_path,
)
from lineside.contract.desired import Desired, DesiredComponent
from tests.agent.control_plane import ControlPlane

DIGEST = "sha256:" + "0" * 64
APP = DesiredComponent(name="app", version="1.0.0", target="apps/app-1.0.0.json", recipe_digest=DIGEST)


def bundle(**changes: Any) -> bytes:
    """A sound bundle for the device cell-1, with these fields changed."""
    desired = Desired(device="cell-1", revision=3, components=(APP,))
    whole = Bundle(name="b", created_at="2026-01-01T00:00:00.000Z", desired=desired)
    return msgspec.json.encode(msgspec.structs.replace(whole, **changes))


class BundleMaker:
    """Makes bundles of what a test control plane has, as `lineside deployments bundle` does."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._made = 0

    def make(
        self,
        *components: DesiredComponent,
        revision: int = 0,
        group: str | None = None,
        device: str = "cell-1",
        key: Signer | None = None,
        change: Callable[[dict[str, bytes]], None] = lambda entries: None,
    ) -> Path:
        """A bundle file for the device, or for a `group`; `change` alters its entries after they were signed."""
        plane = self._plane
        desired = Desired(
            device="" if group else device,
            revision=0 if group else revision,
            components=components,
            soak_seconds=0.2,
            poll_seconds=0.2,
        )
        files = [BundleArtifact(name=d[7:15], digest=d, size=len(data)) for d, data in plane.blobs.items()]
        whole = Bundle(
            name="stick", created_at="2026-01-01T00:00:00Z", group=group, desired=desired, artifacts=tuple(files)
        )
        document = msgspec.json.encode(whole)
        signed = (key or plane.tuf.signers["timestamp"]).sign(signed_bytes(document))
        signature = BundleSignature(keyid=signed.keyid, sig=signed.signature)
        entries = {
            "bundle.json": document,
            "bundle.sig": msgspec.json.encode(BundleSignatures(signatures=(signature,))),
            **{metadata_path(name): data for name, data in plane.tuf.files.items()},
            **{target_path(name): data for name, data in plane.tuf.targets.items()},
            **{artifact_path(digest): data for digest, data in plane.blobs.items()},
        }
        change(entries)
        self._made += 1
        path = self._folder / f"bundle-{self._made}.zip"
        with zipfile.ZipFile(path, "w") as target:
            for name, data in entries.items():
                target.writestr(name, data)
        return path

    def age(self, *roles: str, days: float = 30) -> None:
        """Let the newest metadata of these roles have expired so many days ago (less than 0: in so many days); the
        signatures stay right."""
        tuf = self._plane.tuf
        for role in roles:
            name = _newest(tuf.files, role)
            metadata: Metadata[Any] = Metadata.from_bytes(tuf.files[name])
            metadata.signed.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
            metadata.sign(tuf.signers[role])
            tuf.files[name] = metadata.to_bytes(JSONSerializer(compact=True))


def _newest(files: dict[str, bytes], role: str) -> str:
    """The name of a role's newest metadata file."""
    if f"{role}.json" in files:
        return f"{role}.json"
    return f"{max(int(name.split('.')[0]) for name in files if name.endswith(f'.{role}.json'))}.{role}.json"
