"""Believing a bundle: who signed it, for which device, and whether it is newer than what is known."""

from __future__ import annotations

import msgspec

from lineside.agent.clock import Clock, parse_rfc3339
from lineside.agent.link.join_state import JoinState
from lineside.agent.local.bundle_file import BundleFile
from lineside.agent.paths import Paths
from lineside.agent.updating.trust import Trust
from lineside.contract.bundle import SIGNATURES, Bundle, BundleSignatures, signed_bytes
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE


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


def check_signature(file: BundleFile, document: bytes, trust: Trust) -> None:
    """Whether the control plane's timestamp key signed this. Raises `bundle.signature`, and what `trust` raises."""
    data = file.small(SIGNATURES)
    if data is None:
        raise LinesideError("bundle.signature", why=f"it has no {SIGNATURES}")
    try:
        found = msgspec.json.decode(data, type=BundleSignatures).signatures
        trust.vouch(signed_bytes(document), {one.keyid: one.sig for one in found})
    except UNREADABLE as error:
        raise LinesideError("bundle.signature", why=error) from error
    except LinesideError as error:
        if error.code != "trust.signature":
            raise
        raise LinesideError("bundle.signature", why=error.params.get("why", "")) from error


def learn_the_time(bundle: Bundle, expires: float, clock: Clock) -> None:
    """It is later than when a signed bundle was made: all that a device without a network or a clock battery can know.

    Not when the metadata in it, which is good until `expires`, could not have been good then: the clock of whoever made
    it was wrong, and a floor beyond all expiry would let nothing be installed any more.
    """
    made = parse_rfc3339(bundle.created_at)
    if made is not None and made < expires:
        clock.signed(made)
