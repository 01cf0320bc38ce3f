"""Secrets of this device: one file each below `<root>/secrets`, for its owner only, with the versions that AWS names.

    lineside agent secret set NAME      reads the value from standard input

Components read them by GetSecretValue, if their `accessControl` allows it. A new value is AWSCURRENT and makes the one
before AWSPREVIOUS; older ones are forgotten unless they have a label of their own.
"""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from urllib.parse import quote

import msgspec

from lineside.agent.bus.ports import Secret
from lineside.agent.durable import write_atomically
from lineside.contract.errors import LinesideError

CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"


class SecretVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version: text, or bytes in base64."""

    id: str
    stages: tuple[str, ...]
    text: str | None = None
    data: str | None = None


class SecretFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is on disk, newest version first."""

    id: str
    versions: tuple[SecretVersion, ...]


class Secrets:
    """The secrets below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, id: str, version: str | None = None, stage: str | None = None) -> Secret:
        """A secret by its name, or by an ARN that ends in it; the current version if none is named.

        Raises `bus.secret_unknown`.
        """
        for name in _names(id):
            file = self._read(name)
            if file is None:
                continue
            for one in file.versions:
                if one.id == version or (version is None and (stage or CURRENT) in one.stages):
                    data = None if one.data is None else base64.b64decode(one.data)
                    return Secret(id=file.id, version=one.id, stages=one.stages, text=one.text, data=data)
        raise LinesideError("bus.secret_unknown", secret=id)

    def set(self, name: str, value: bytes) -> str:
        """Give a secret a new value; its version."""
        before = self._read(name)
        try:
            new = SecretVersion(id=str(uuid.uuid4()), stages=(CURRENT,), text=value.decode())
        except UnicodeDecodeError:
            new = SecretVersion(id=str(uuid.uuid4()), stages=(CURRENT,), data=base64.b64encode(value).decode())
        kept = [aged for one in (before.versions if before else ()) if (aged := _aged(one)).stages]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = SecretFile(id=name, versions=(new, *kept))
        write_atomically(self._path(name), msgspec.json.encode(file), 0o600)
        return new.id

    def remove(self, name: str) -> None:
        """Forget a secret. Raises `bus.secret_unknown`."""
        try:
            self._path(name).unlink()
        except FileNotFoundError as error:
            raise LinesideError("bus.secret_unknown", secret=name) from error

    def names(self) -> list[str]:
        """Every secret's name."""
        files = (msgspec.json.decode(path.read_bytes(), type=SecretFile) for path in self._folder.glob("[!.]*"))
        return sorted(file.id for file in files)

    def _path(self, name: str) -> Path:
        return self._folder / quote(name, safe="")

    def _read(self, name: str) -> SecretFile | None:
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=SecretFile)
        except FileNotFoundError:
            return None


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
