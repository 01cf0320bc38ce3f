"""Use cases of the secrets room. A value leaves it only sealed for a device whose components' recipes name it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import event
from sqlalchemy.orm import Session

from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.sealing import fingerprint, seal
from lineside.contract.secret import (
    MAX_VALUE,
    GivenSecret,
    GivenSecrets,
    GivenVersion,
    KeyRotation,
    Secret,
    SecretDetails,
    SecretDevice,
    about,
    is_secret_name,
)
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.devices import store as devices
from lineside.server.devices.store import DeviceRow
from lineside.server.secrets import store
from lineside.server.secrets.keys import SecretKeys
from lineside.server.secrets.model import KeptVersion, with_newest
from lineside.server.secrets.naming import Naming
from lineside.server.secrets.store import SecretDeliveryRow, SecretRow
from lineside.server.services import Core


class ComponentSecrets:
    """Secrets of components; each call is a transaction of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._keys = SecretKeys(core.keys / "secrets.key")
        self._naming = Naming(core.objects)
        self._turn = threading.Lock()  # a value sealed while keys change hands would lose its key

    # --- people ---------------------------------------------------------------------------------------------------

    def all(self) -> list[Secret]:
        """Every secret without its values, by name."""
        with self._core.database.read() as session:
            return [row.value() for row in store.every(session)]

    def details(self, name: str) -> SecretDetails:
        """A secret with who may have it. Raises `secret.unknown`."""
        with self._core.database.read() as session:
            row = self._row(session, name)
            given = {one.device: one for one in store.deliveries(session, name)}
            named = set(self._devices(session, name))
            return SecretDetails(
                secret=row.value(),
                components=self._naming.components(session, name),
                devices=tuple(_device(one, one in named, given.get(one)) for one in sorted(named | given.keys())),
            )

    def set(self, name: str, value: bytes) -> Secret:
        """Give a secret a new value; devices that may have it get a hint. Raises `secret.bad_name`, `.bad_value`."""
        if not is_secret_name(name):
            raise LinesideError("secret.bad_name", name=name)
        if not 0 < len(value) <= MAX_VALUE:
            raise LinesideError("secret.bad_value", size=len(value), limit=MAX_VALUE)
        version, now = str(uuid.uuid4()), rfc3339(self._core.clock.now())
        with self._turn, self._core.database.write() as session:
            row = session.get(SecretRow, name) or SecretRow(name=name, versions=())
            kept = self._keys.seal(name, version, value)
            new = KeptVersion(id=version, stages=(), set_at=now, set_by=current().name, kept=kept)
            row.versions = with_newest(new, row.versions)
            session.add(row)
            self._decided(
                session, "secret.set", name, f"The secret {name} has a new value, version {version}.", version
            )
            return row.value()

    def remove(self, name: str) -> Secret:
        """Forget a secret, here and then on the devices. Raises `secret.unknown`."""
        with self._core.database.write() as session:
            row = self._row(session, name)
            shown = row.value()
            session.delete(row)
            store.forget_deliveries(session, name)
            self._decided(session, "secret.remove", name, f"The secret {name} was removed.")
            return shown

    def rotate_key(self) -> KeyRotation:
        """Seal every value with a new key, and forget the old one once nothing needs it."""
        with self._turn:
            return self._rotated()

    def _rotated(self) -> KeyRotation:
        with self._core.database.write() as session:
            rows = store.every(session)
            opened = [(row, one, self._keys.open(row.name, one.id, one.kept)) for row in rows for one in row.versions]
            key = self._keys.add()
            for row in rows:
                row.versions = tuple(
                    msgspec.structs.replace(one, kept=self._keys.seal(row.name, one.id, plain))
                    for owner, one, plain in opened
                    if owner is row
                )
            self._core.audit.record(
                session, "secret.rotate_key", key, why=f"{counted(len(opened), 'version')} sealed anew"
            )
            self._core.events.record(
                session,
                kind="secret.key_rotated",
                subject=key,
                message=f"Secrets are kept with a new key, {key}.",
                actor=current().name,
            )
        self._keys.keep_only({key})
        return KeyRotation(key=key, versions=len(opened))

    # --- devices --------------------------------------------------------------------------------------------------

    def given(self, device: str, known: str) -> tuple[GivenSecrets | None, str]:
        """What a device may have now, and its ETag; None when that is what `known` says."""
        with self._core.database.read() as session:
            if self._etag(session, device) == known:
                return None, known
        with self._core.database.write() as session:
            tag = self._etag(session, device)
            key = _public_key(session, device)
            secrets = tuple(self._sealed(row, key) for row in self._named(session, device))
            for row in self._named(session, device):
                self._delivered(session, device, row, fingerprint(key))
            return GivenSecrets(secrets=secrets), tag

    def _named(self, session: Session, device: str) -> list[SecretRow]:
        wanted = devices.wanted_of(session, device)
        if not self._naming.anything(wanted):
            return []
        return [row for row in store.every(session) if self._naming.named(wanted, device, row.name)]

    def _etag(self, session: Session, device: str) -> str:
        """Of names, versions and the device's key: what is sealed anew for the same key is the same."""
        named = [(row.name, [(one.id, one.stages) for one in row.versions]) for row in self._named(session, device)]
        return f'"{content_digest([named, fingerprint(_public_key(session, device))])[7:39]}"'

    def _sealed(self, row: SecretRow, key: ec.EllipticCurvePublicKey) -> GivenSecret:
        """A secret for one device. Raises `secret.key_lost`."""
        versions = tuple(
            GivenVersion(
                id=one.id,
                stages=one.stages,
                box=seal(key, self._keys.open(row.name, one.id, one.kept), about(row.name, one.id).encode()),
            )
            for one in row.versions
        )
        return GivenSecret(name=row.name, versions=versions)

    def _delivered(self, session: Session, device: str, row: SecretRow, key: str) -> None:
        """Remember it; the trail has a line for each version and key, not for each time a device asks."""
        version, now = row.versions[0].id, rfc3339(self._core.clock.now())
        there = session.get(SecretDeliveryRow, (row.name, device))
        new = there is None or (there.version, there.key) != (version, key)
        if there is None:
            there = SecretDeliveryRow(name=row.name, device=device)
            session.add(there)
        there.version, there.key, there.at = version, key, now
        if new:
            self._core.audit.record(session, "secret.deliver", row.name, why=f"to {device}, version {version}")

    # --- both -----------------------------------------------------------------------------------------------------

    def _decided(self, session: Session, action: str, name: str, message: str, version: str = "") -> None:
        why = f"version {version}" if version else ""
        self._core.audit.record(session, action, name, why=why)
        kind = {"secret.set": "secret.set", "secret.remove": "secret.removed"}[action]
        self._core.events.record(session, kind=kind, subject=name, message=message, actor=current().name)
        self._hint(session, self._devices(session, name))

    def _hint(self, session: Session, names: Iterable[str]) -> None:
        named = list(names)

        event.listen(session, "after_commit", lambda _session: self._core.hints.hint_all(named), once=True)

    def _devices(self, session: Session, name: str) -> list[str]:
        named = devices.wanting(session, self._naming.anything)
        contents = devices.contents(session, set(named.values()))
        return [device for device, content in named.items() if self._naming.named(contents[content], device, name)]

    def _row(self, session: Session, name: str) -> SecretRow:
        row = session.get(SecretRow, name)
        if row is None:
            raise LinesideError("secret.unknown", name=name)
        return row


def _public_key(session: Session, device: str) -> ec.EllipticCurvePublicKey:
    row = session.get(DeviceRow, device)
    key = load_pem_public_key(row.key.encode()) if row is not None else None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise LinesideError("request.not_found", what="device", name=device)
    return key


def _device(name: str, named: bool, given: SecretDeliveryRow | None) -> SecretDevice:
    if given is None:
        return SecretDevice(device=name, named=named)
    return SecretDevice(device=name, named=named, version=given.version, at=given.at)
