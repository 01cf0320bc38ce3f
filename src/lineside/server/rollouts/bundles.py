"""Offline bundles: what a device, or a group's devices, should run, in one signed file (`contract/bundle.py`).

Written as it is sent: nothing of it is kept, and no artifact is in memory as a whole.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.bundle import (
    DOCUMENT,
    MAX_DOCUMENT_BYTES,
    SIGNATURES,
    Bundle,
    BundleArtifact,
    BundleSignature,
    BundleSignatures,
    artifact_path,
    metadata_path,
    signed_bytes,
    target_path,
)
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.builtin import is_builtin
from lineside.server.adapters.objects import ObjectStore
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow, by_recipe
from lineside.server.deployments import store as deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import DeviceRow
from lineside.server.rollouts.assignments import Assignments
from lineside.server.services import Core

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SIGNER = "timestamp"
_LARGE = 1 << 30  # entries over this may grow past what a plain ZIP can say


@dataclass(frozen=True)
class Made:
    """A bundle on its way out."""

    name: str
    pieces: Iterator[bytes]


class Bundles:
    """Makes bundles; each call is a transaction of its own."""

    def __init__(self, core: Core, components: Components) -> None:
        self._core, self._components = core, components
        self._desired = DesiredDocuments(core)
        self._assignments = Assignments(core, components)

    def make(self, device: str | None, group: str | None) -> Made:
        """A bundle for a device or a group, one of the two. Raises `request.*`, `bundle.*`, `deployment.*`."""
        if (device is None) == (group is None):
            raise LinesideError("request.invalid", why="name a device or a group, one of the two")
        with self._core.database.read() as session:
            desired = self._of_group(session, group) if group else self._of_device(session, str(device))
            rows = self._rows(session, desired)
        artifacts = {one.digest: one for row in rows for one in row.artifacts}
        bundle = Bundle(
            name=f"{group or device}-{f'r{desired.revision}' if device else desired.deployment}",
            created_at=rfc3339(self._core.clock.now()),
            group=group,
            desired=desired,
            artifacts=tuple(
                BundleArtifact(name=one.name, digest=digest, size=one.size) for digest, one in sorted(artifacts.items())
            ),
        )
        small = self._small(bundle, rows)
        with self._core.database.write() as session:
            digest = digest_of(small[DOCUMENT])
            self._core.audit.record(session, "bundle.export", bundle.name, digest=digest, why=_whose(device, group))
        return Made(bundle.name, _zipped(self._core.objects, small, bundle.artifacts))

    def _of_device(self, session: Session, device: str) -> Desired:
        if session.get(DeviceRow, device) is None:
            raise LinesideError("request.not_found", what="device", name=device)
        desired = self._desired.desired(session, device)
        if desired.revision == 0:
            raise LinesideError("bundle.nothing", name=device)
        return desired

    def _of_group(self, session: Session, group: str) -> Desired:
        """What the group's newest deployment wants of each of its devices."""
        newest = deployments.newest_of(session, group)
        if newest is None:
            raise LinesideError("bundle.nothing", name=group)
        policies, settings = newest.policies(), self._core.settings
        return Desired(
            device="",
            revision=0,
            components=tuple(self._assignments.wanted(session, newest)),
            deployment=newest.id,
            failure_policy=policies.failure_handling_policy,
            update_policy=policies.component_update_policy,
            validation_policy=policies.configuration_validation_policy,
            soak_seconds=settings.soak_seconds,
            poll_seconds=settings.poll_seconds,
        )

    def _rows(self, session: Session, desired: Desired) -> list[ComponentRow]:
        return by_recipe(session, (one.recipe_digest for one in desired.components if not is_builtin(one.name)))

    def _small(self, bundle: Bundle, rows: Iterable[ComponentRow]) -> dict[str, bytes]:
        """Everything but the artifacts."""
        document = msgspec.json.encode(bundle)
        signature = self._components.repository.sign(_SIGNER, signed_bytes(document))
        signatures = BundleSignatures(signatures=(BundleSignature(keyid=signature.keyid, sig=signature.signature),))
        metadata = self._components.repository.current()
        recipes = {row.recipe_digest: self._core.objects.get(row.recipe_digest) for row in rows}
        files = {DOCUMENT: document, SIGNATURES: msgspec.json.encode(signatures)}
        files |= {metadata_path(name): data for name, data in metadata.items()}
        files |= {
            target_path(one.target): recipes[one.recipe_digest]
            for one in bundle.desired.components
            if one.recipe_digest in recipes
        }
        for name, data in files.items():
            if len(data) > MAX_DOCUMENT_BYTES:
                raise LinesideError("bundle.too_large", what=name, limit=MAX_DOCUMENT_BYTES)
        return files


def _whose(device: str | None, group: str | None) -> str:
    return f"what the device {device} should run" if device else f"what the group {group} should run"


class _Sink:
    """Takes what a ZIP writer writes, to be handed on. It cannot be sought in, so sizes follow the data."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        data, self._pieces = b"".join(self._pieces), []
        return data


def _zipped(objects: ObjectStore, files: dict[str, bytes], artifacts: Iterable[BundleArtifact]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
            yield sink.taken()
        for artifact in artifacts:
            entry = zipfile.ZipInfo(artifact_path(artifact.digest), _EPOCH)
            with archive.open(entry, "w", force_zip64=artifact.size > _LARGE) as content:
                for piece in objects.stream(artifact.digest):
                    content.write(piece)
                    yield sink.taken()
    yield sink.taken()
