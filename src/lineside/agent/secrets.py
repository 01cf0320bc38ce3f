"""Secrets of this device: sealed for its key below `<root>/secrets`, opened when a component asks and kept nowhere.

    NAME              one that was set here: lineside agent secret set NAME, read from standard input
    @delivered.json   those that the control plane gives this device, all in one file, so that it is old or new

Components read them by GetSecretValue, if their `accessControl` allows it; what is delivered goes before what was set
here under the same name. A new value is AWSCURRENT and makes the one before AWSPREVIOUS; older ones are forgotten
unless they have a label of their own. Nothing here needs the control plane: it works offline.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import logging
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from lineside.agent.bus.ports import Secret
from lineside.agent.durable import make_directories, write_atomically
from lineside.agent.keys.port import CURRENT as CURRENT_KEY
from lineside.agent.keys.port import PREVIOUS as PREVIOUS_KEY
from lineside.agent.keys.port import Box, KeyStore
from lineside.contract.captured import BEGINNING, is_for
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.sealing import Sealed
from lineside.contract.secret import CURRENT, PREVIOUS, GivenSecret, GivenSecrets, about

_DELIVERED = "@delivered.json"  # no name of a secret becomes this: quoting never leaves an "@"
_log = logging.getLogger(__name__)


class SecretVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version. The first agents wrote `text`, or `data` in base64, in clear: see `Secrets.seal_old`."""

    id: str
    stages: tuple[str, ...]
    box: Sealed | None = None
    text: str | None = None
    data: str | None = None


class SecretFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is on disk of a secret, newest version first."""

    id: str
    versions: tuple[SecretVersion, ...]


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane gave, as it gave it."""

    etag: str = ""
    secrets: tuple[GivenSecret, ...] = ()


class Secrets:
    """The secrets below a folder, sealed with `keys`. Usable from several threads and processes."""

    def __init__(self, folder: Path, keys: KeyStore, captures: Path | None = None) -> None:
        """`captures`: where images wait that may be sealed for the key before, too."""
        self._folder = folder
        self._keys = keys
        self._captures = captures
        self._resealed_from = ""  # the key before, once everything here is sealed for the current one
        self._turn = threading.Lock()  # a component that asks without end keeps one process busy, not a hundred

    # --- for components -------------------------------------------------------------------------------------------

    def get(self, id: str, version: str | None = None, stage: str | None = None) -> Secret:
        """A secret by its name, or by an ARN that ends in it; the current version if none is named.

        Raises `bus.secret_unknown`, `device.key_unusable`.
        """
        name, one = self._found(id, version, stage)
        try:
            return _secret(name, one, self._value(name, one))
        except LinesideError:
            again = self._found(id, version, stage)
            if again[1].box == one.box:
                raise
        return _secret(again[0], again[1], self._value(*again))  # it was sealed anew meanwhile

    def _found(self, id: str, version: str | None, stage: str | None) -> tuple[str, SecretVersion]:
        delivered = {one.name: _as_file(one) for one in self._delivered().secrets}
        for name in _names(id):
            file = delivered.get(name) or self._read(name)
            if file is None:
                continue
            for one in file.versions:
                if one.id == version or (version is None and (stage or CURRENT) in one.stages):
                    return file.id, one
        raise LinesideError("bus.secret_unknown", secret=id)

    # --- for people at the device ---------------------------------------------------------------------------------

    def set(self, name: str, value: bytes) -> str:
        """Give a secret a new value; its version. Raises `device.key_unusable`."""
        version = str(uuid.uuid4())
        new = SecretVersion(id=version, stages=(CURRENT,), box=self._seal(name, version, value))
        with self._alone():
            before = self._read(name)
            kept = [aged for one in (before.versions if before else ()) if (aged := _aged(one)).stages]
            self._write(SecretFile(id=name, versions=(new, *(self._sealed(name, one) for one in kept))))
        return version

    def remove(self, name: str) -> None:
        """Forget a secret that was set here. Raises `bus.secret_unknown`."""
        try:
            self._path(name).unlink()
        except FileNotFoundError as error:
            raise LinesideError("bus.secret_unknown", secret=name) from error

    def names(self) -> list[str]:
        """Every secret that was set here."""
        return sorted(file.id for file in self._files())

    def delivered(self) -> list[str]:
        """Every secret that the control plane gave."""
        return sorted(one.name for one in self._delivered().secrets)

    # --- for the link ---------------------------------------------------------------------------------------------

    @property
    def etag(self) -> str:
        """Of what the control plane gave last."""
        return self._delivered().etag

    def take(self, given: GivenSecrets, etag: str) -> None:
        """Keep what the control plane gives, and nothing that it gave before."""
        with self._alone():
            data = msgspec.json.encode(Delivered(etag=etag, secrets=given.secrets))
            write_atomically(self._folder / _DELIVERED, data, 0o600)

    def seal_old(self) -> None:
        """Seal what an older agent left in clear, each file in one step. Raises `device.key_unusable`."""
        for path in self._paths():
            with self._alone():
                file = self._read_path(path)
                if file is not None and any(one.box is None for one in file.versions):
                    sealed = tuple(self._sealed(file.id, one) for one in file.versions)
                    self._write(msgspec.structs.replace(file, versions=sealed))

    def reseal(self) -> None:
        """After a change of keys: seal everything for the current key, then forget the key before, as soon as no
        capture that waits is sealed for it.

        What cannot be opened stays as it is. Raises `device.key_unusable`; the key before is kept then.
        """
        if not self._keys.exists(PREVIOUS_KEY):
            return
        before = _fingerprint(self._keys.public(PREVIOUS_KEY))
        if before != self._resealed_from:
            self._reseal_all()
            self._resealed_from = before
        if self._captures is None or not _any_for(self._captures, before):
            self._keys.discard(PREVIOUS_KEY)

    def _reseal_all(self) -> None:
        for path in self._paths():
            with self._alone():
                file = self._read_path(path)
                if file is not None:
                    self._write(msgspec.structs.replace(file, versions=self._resealed(file.id, file.versions)))
        with self._alone():
            delivered = self._delivered()
            if delivered.secrets:
                again = GivenSecrets(secrets=tuple(self._given_anew(one) for one in delivered.secrets))
                data = msgspec.json.encode(msgspec.structs.replace(delivered, secrets=again.secrets))
                write_atomically(self._folder / _DELIVERED, data, 0o600)

    # --- sealing --------------------------------------------------------------------------------------------------

    def _seal(self, name: str, version: str, value: bytes) -> Sealed:
        """A device that has joined nothing makes its key for its first secret."""
        if not self._keys.exists(CURRENT_KEY):
            self._keys.make(CURRENT_KEY)
        return self._keys.seal(value, about(name, version))

    def _sealed(self, name: str, one: SecretVersion) -> SecretVersion:
        if one.box is not None:
            return one
        return SecretVersion(id=one.id, stages=one.stages, box=self._seal(name, one.id, _clear(one)))

    def _value(self, name: str, one: SecretVersion) -> bytes:
        if one.box is None:
            return _clear(one)
        with self._turn:
            return self._keys.open(one.box, about(name, one.id))

    def _resealed(self, name: str, versions: tuple[SecretVersion, ...]) -> tuple[SecretVersion, ...]:
        sealed = [self._sealed(name, one) for one in versions]
        boxes = self._keys.reseal([Box(sealed=one.box, about=about(name, one.id)) for one in sealed if one.box])
        return tuple(msgspec.structs.replace(one, box=box) for one, box in zip(sealed, boxes, strict=True))

    def _given_anew(self, given: GivenSecret) -> GivenSecret:
        boxes = self._keys.reseal([Box(sealed=one.box, about=about(given.name, one.id)) for one in given.versions])
        versions = (msgspec.structs.replace(one, box=box) for one, box in zip(given.versions, boxes, strict=True))
        return GivenSecret(name=given.name, versions=tuple(versions))

    # --- files ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time changes files."""
        make_directories(self._folder)
        self._folder.chmod(0o700)
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[!.@]*"))

    def _path(self, name: str) -> Path:
        return self._folder / quote(name, safe="")

    def _files(self) -> Iterator[SecretFile]:
        for path in self._paths():
            file = self._read_path(path)
            if file is not None:
                yield file

    def _read(self, name: str) -> SecretFile | None:
        return self._read_path(self._path(name))

    def _read_path(self, path: Path) -> SecretFile | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=SecretFile)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            _log.warning("the secret in %s cannot be read: %s", path.name, error)
            return None

    def _write(self, file: SecretFile) -> None:
        write_atomically(self._path(file.id), msgspec.json.encode(file), 0o600)

    def _delivered(self) -> Delivered:
        try:
            return msgspec.json.decode((self._folder / _DELIVERED).read_bytes(), type=Delivered)
        except FileNotFoundError:
            return Delivered()
        except UNREADABLE as error:
            _log.warning("what the control plane delivered cannot be read (%s); it is asked again", error)
            return Delivered()


def _as_file(given: GivenSecret) -> SecretFile:
    versions = (SecretVersion(id=one.id, stages=one.stages, box=one.box) for one in given.versions)
    return SecretFile(id=given.name, versions=tuple(versions))


def _secret(name: str, one: SecretVersion, value: bytes) -> Secret:
    """Bytes that are UTF-8 are text, as they were given."""
    try:
        return Secret(id=name, version=one.id, stages=one.stages, text=value.decode())
    except UnicodeDecodeError:
        return Secret(id=name, version=one.id, stages=one.stages, data=value)


def _clear(one: SecretVersion) -> bytes:
    """The value of a version that an older agent wrote."""
    return one.text.encode() if one.text is not None else base64.b64decode(one.data or "")


def _aged(one: SecretVersion) -> SecretVersion:
    """A version after a newer one came."""
    stages = tuple(stage for stage in one.stages if stage not in (CURRENT, PREVIOUS))
    return msgspec.structs.replace(one, stages=(*stages, PREVIOUS) if CURRENT in one.stages else stages)


def _names(id: str) -> list[str]:
    """What a secret may be called here: its id, or the name in an ARN, with and without AWS's six random letters."""
    _, found, name = id.partition(":secret:")
    if not found:
        return [id]
    return [id, name, name[:-7]] if name[-7:-6] == "-" else [id, name]


def _fingerprint(pem: str) -> str:
    """What `sealing.fingerprint` says of a public key, without cryptography."""
    return hashlib.sha256(base64.b64decode("".join(pem.split("-----")[2].split()))).hexdigest()


def _any_for(captures: Path, key: str) -> bool:
    """Whether an image that waits, or is being written, is sealed for a key."""
    for path in (*captures.glob("*.bin"), *captures.glob(".*.tmp")):
        with suppress(OSError), path.open("rb") as file:
            if is_for(file.read(BEGINNING), key):
                return True
    return False
