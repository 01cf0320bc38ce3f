"""Sealing kept images for the device's own key, of which only the certificate is needed to write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lineside.contract.captured import about, packed
from lineside.contract.errors import LinesideError
from lineside.contract.sealing import seal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

Seal = Callable[[str, bytes], bytes]
"""The file of a capture's image, by the capture's id."""


def sealing_of(environment: Mapping[str, str]) -> Seal:
    """What seals for the certificate that the agent names. Raises `capture.no_key` when there is none."""
    path = Path(environment.get("LINESIDE_CERT") or "")
    _public(path)  # says at the start what cannot be
    return lambda capture, data: packed(seal(_public(path), data, about(capture).encode()))


def _public(path: Path) -> EllipticCurvePublicKey:
    """The certificate's key, as it is now: the agent renews it."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        key = load_pem_x509_certificate(path.read_bytes()).public_key()
    except (OSError, ValueError) as error:
        raise LinesideError("capture.no_key", path=path, why=error) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise LinesideError("capture.no_key", path=path, why="its key is not of the curve P-256")
    return key
