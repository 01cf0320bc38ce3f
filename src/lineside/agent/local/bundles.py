"""Believing a bundle: who signed it, for which device, and whether it is newer than what is known."""

from __future__ import annotations

import msgspec
from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Signature

from lineside.agent.link.join_state import JoinState
from lineside.agent.local.bundle_file import BundleFile
from lineside.agent.paths import Paths
from lineside.contract.bundle import SIGNATURES, Bundle, BundleSignatures, signed_bytes
from lineside.contract.errors import LinesideError


def check_for(bundle: Bundle, joined: JoinState, known: int | None) -> None:
    """Whether a bundle is for this device, whose newest desired document has the revision `known`.

    Raises `bundle.other_device`, `bundle.superseded`.
    """
    desired = bundle.desired
    if bundle.group is None and desired.device != joined.device:
        raise LinesideError("bundle.other_device", other=desired.device, device=joined.device)
    if bundle.group is None and known is not None and desired.revision < known:
        raise LinesideError("bundle.superseded", revision=desired.revision, known=known, device=joined.device)


def check_joined(paths: Paths) -> None:
    """Raises `bundle.not_joined`: only a device that has joined can tell who signed something."""
    if not paths.trusted_root.exists():
        raise LinesideError("bundle.not_joined", root=paths.root)


def check_signature(file: BundleFile, document: bytes, paths: Paths) -> None:
    """Whether the control plane's timestamp key signed this. The bundle's metadata must have been taken in before.

    Raises `bundle.signature`.
    """
    data = file.small(SIGNATURES)
    if data is None:
        raise LinesideError("bundle.signature", why=f"it has no {SIGNATURES}")
    try:
        found = msgspec.json.decode(data, type=BundleSignatures).signatures
        signatures = {one.keyid: Signature(one.keyid, one.sig) for one in found}
        root = Metadata[Root].from_bytes((paths.metadata / "root.json").read_bytes()).signed
        root.verify_delegate("timestamp", signed_bytes(document), signatures)
    except (msgspec.DecodeError, exceptions.RepositoryError, ValueError, OSError) as error:
        raise LinesideError("bundle.signature", why=error) from error
