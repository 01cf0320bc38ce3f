"""What a signer's machine believes about a control plane: verified from a root that it keeps, never from the page.

The root is pinned at first use and followed version by version, as devices do (TUF specification 1.0, section 5.3);
versions that were seen once are never believed older again. Expired metadata is believed, with a warning: signing it
anew is what people are asked to do about it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from lineside.client.client import Client
from lineside.contract.ceremony_changes import Part
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.ids import plain_fingerprint
from lineside.contract.reading import UNREADABLE
from lineside.contract.trust import ROLE_PATHS

T = TypeVar("T", Root, Timestamp, Snapshot, Targets)

MOST_ROOTS = 1024

Confirm = Callable[[str], bool]
"""Whether the newest root with this SHA-256 is to be believed from now on."""


class _Kept(msgspec.Struct, kw_only=True):
    """What is kept of one control plane."""

    url: str
    root: str  # the newest root metadata that was verified
    seen: dict[str, int] = {}  # role -> highest version


@dataclass(frozen=True)
class Trusted:
    """Metadata that was verified. `roles` are `signed` parts by role."""

    root_sha256: str
    root: Root
    targets: Targets
    roles: Mapping[str, Part]
    warnings: tuple[str, ...] = field(default=())


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where roots are kept: `$XDG_CONFIG_HOME/lineside/trust`."""
    return Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "lineside" / "trust"


def kept_file(where: Path, url: str) -> Path:
    """Where the root of one control plane is kept."""
    return where / f"{hashlib.sha256(url.rstrip('/').lower().encode()).hexdigest()[:32]}.json"


def fetch(client: Client, where: Path, confirm: Confirm, root_sha256: str | None = None) -> Trusted:
    """Fetch and verify what counts now. `confirm` is asked about a root that was never seen here, unless its SHA-256
    was said. Raises `trust.root_differs`, `trust.root_unconfirmed`, `trust.history_broken`.
    """
    file = kept_file(where, client.url)
    kept = _read(file)
    raw = kept.root.encode() if kept else _first_root(client, confirm, root_sha256)
    if kept and root_sha256 and not _ever(client, root_sha256):
        raise LinesideError("trust.root_differs", expected=root_sha256, actual=_sha256(raw))
    try:
        raw, root = _follow(client, raw)
        found, versions = _below(client, root)
    except (RepositoryError, ValueError, KeyError) as error:
        raise LinesideError("trust.history_broken", why=error) from error
    versions["root"] = root.signed.version
    seen = kept.seen if kept else {}
    for role, version in versions.items():
        if version < seen.get(role, 0):
            why = f"{role} is at version {version}, and version {seen[role]} was seen here before"
            raise LinesideError("trust.history_broken", why=why)
    _write(file, _Kept(url=client.url, root=raw.decode(), seen={**seen, **versions}))
    signed: dict[str, Any] = {"root": root.signed, **found}
    return Trusted(
        root_sha256=_sha256(raw),
        root=root.signed,
        targets=found["targets"],
        roles={role: part.to_dict() for role, part in signed.items()},
        warnings=_warnings(signed),
    )


def known_root(where: Path, url: str) -> str | None:
    """The SHA-256 of the root that this machine believes of a control plane; None when it never saw one."""
    kept = _read(kept_file(where, url))
    return _sha256(kept.root.encode()) if kept else None


# --- root ---------------------------------------------------------------------------------------------------------


def _first_root(client: Client, confirm: Confirm, expected: str | None) -> bytes:
    roots = _roots(client, 1)
    if not roots:
        raise LinesideError("trust.history_broken", why="it has no root")
    actual = _sha256(roots[-1])
    if expected:
        match = next((raw for raw in reversed(roots) if _sha256(raw) == plain_fingerprint(expected)), None)
        if match is None:
            raise LinesideError("trust.root_differs", expected=expected, actual=actual)
        return match
    if not confirm(actual):
        raise LinesideError("trust.root_unconfirmed", actual=actual)
    return roots[-1]


def _ever(client: Client, expected: str) -> bool:
    return any(_sha256(raw) == plain_fingerprint(expected) for raw in _roots(client, 1))


def _follow(client: Client, raw: bytes) -> tuple[bytes, Metadata[Root]]:
    root = _parsed(raw, Root)
    root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    for raw_next in _roots(client, root.signed.version + 1):
        after = _parsed(raw_next, Root)
        if after.signed.version != root.signed.version + 1:
            raise ValueError(f"root {root.signed.version} is followed by root {after.signed.version}")
        for judge in (root, after):
            judge.signed.verify_delegate("root", after.signed_bytes, after.signatures)
        raw, root = raw_next, after
    return raw, root


def _roots(client: Client, first: int) -> list[bytes]:
    found: list[bytes] = []
    for version in range(first, first + MOST_ROOTS):
        raw = _file(client, f"{version}.root.json")
        if raw is None:
            break
        found.append(raw)
    return found


# --- what the root answers for ------------------------------------------------------------------------------------


def _below(client: Client, root: Metadata[Root]) -> tuple[dict[str, Any], dict[str, int]]:
    timestamp = _parsed(_needed(client, "timestamp.json"), Timestamp)
    root.signed.verify_delegate("timestamp", timestamp.signed_bytes, timestamp.signatures)
    snapshot = _fetched(client, "snapshot", Snapshot, timestamp.signed.snapshot_meta, root.signed)
    meta = snapshot.signed.meta
    targets = _fetched(client, "targets", Targets, meta["targets.json"], root.signed)
    parts: dict[str, Any] = {
        "timestamp": timestamp.signed,
        "snapshot": snapshot.signed,
        "targets": targets.signed,
    }
    for role in ROLE_PATHS:
        parts[role] = _fetched(client, role, Targets, meta[f"{role}.json"], targets.signed).signed
    return parts, {role: part.version for role, part in parts.items()}


def _fetched(client: Client, role: str, kind: type[T], meta: Any, judge: Root | Targets) -> Metadata[T]:
    raw = _needed(client, f"{meta.version}.{role}.json")
    meta.verify_length_and_hashes(raw)
    found = _parsed(raw, kind)
    judge.verify_delegate(role, found.signed_bytes, found.signatures)
    if found.signed.version != meta.version:
        raise ValueError(f"{role} is version {found.signed.version}, and {meta.version} was named")
    return found


def _parsed(raw: bytes, kind: type[T]) -> Metadata[T]:
    found: Metadata[T] = Metadata.from_bytes(raw)
    if not isinstance(found.signed, kind):
        raise ValueError(f"a {found.signed.type} stands where a {kind.type} belongs")
    return found


def _needed(client: Client, name: str) -> bytes:
    raw = _file(client, name)
    if raw is None:
        raise ValueError(f"{name} is not there")
    return raw


def _file(client: Client, name: str) -> bytes | None:
    try:
        return client.trust_metadata(name)
    except LinesideError as error:
        if error.kind is Kind.MISSING:
            return None
        raise


def _warnings(signed: Mapping[str, Any]) -> tuple[str, ...]:
    now = datetime.now(UTC)
    return tuple(f"The metadata of {role} has expired." for role, part in signed.items() if part.is_expired(now))


# --- what is kept -------------------------------------------------------------------------------------------------


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _read(file: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        raise LinesideError("cli.file_unreadable", file=file, why=error) from error


def _write(file: Path, kept: _Kept) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        with part.open("wb") as opened:
            opened.write(msgspec.json.encode(kept))
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=file, why=error) from error
