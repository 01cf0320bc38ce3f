"""Sealed boxes: they open with one key, as what they were sealed, and not when a bit was changed."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lineside.contract.sealing import Sealed, fingerprint, seal, unseal

KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())


def opened(box: Sealed, about: bytes = b"db") -> bytes:
    def agree(point: bytes) -> bytes:
        return KEY.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))

    return unseal(box, about, KEY.public_key(), agree)


def test_a_box_opens_and_two_boxes_are_never_alike() -> None:
    one, two = (seal(KEY.public_key(), b"hunter2", b"db") for _ in range(2))
    assert opened(one) == opened(two) == b"hunter2"
    assert one.point != two.point
    assert one.data != two.data
    assert msgspec.json.decode(msgspec.json.encode(one), type=Sealed) == one


def test_a_box_that_was_sealed_once_still_opens() -> None:
    """The form is not to change: devices keep boxes for years."""
    kept = (
        b'{"key":"128715f96c5bf1b7213a17175ea06acb0eb580f2db6ac9afa98f28a6616524c6","point":"BPCrJcG'
        b'rxpJuSIWXwTnAFl3cMJw0YF1iK3GrFZArTvN/JL3to1zHcyhJ5zZRmG59L5VPftiutb0va4nd9Pzy0aM=","nonce"'
        b':"YVX1PHgYUkgXgaor","data":"u8rmzY03KrZSVIRbPXK7Y/d8tlovHtBNYWuwhg=="}'
    )
    box = msgspec.json.decode(kept, type=Sealed)
    assert box.key == fingerprint(KEY.public_key())
    assert opened(box) == b"a kept value"


@pytest.mark.parametrize("field", ["point", "nonce", "data"])
def test_a_changed_box_does_not_open(field: str) -> None:
    box = seal(KEY.public_key(), b"hunter2", b"db")
    other = seal(KEY.public_key(), b"hunter2", b"db")
    with pytest.raises(ValueError, match="changed"):
        opened(msgspec.structs.replace(box, **{field: getattr(other, field)}))
    with pytest.raises(ValueError, match="changed"):
        opened(box, b"another")


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    box = seal(KEY.public_key(), b"hunter2", b"db")
    with pytest.raises(ValueError, match="Invalid EC key"):
        opened(msgspec.structs.replace(box, point=b"\x04" + b"\x01" * 64))
