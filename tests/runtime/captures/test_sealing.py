"""At rest an image is for the device's own key alone; only its certificate is needed to keep it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lineside.contract.captured import about, boxed
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.sealing import Sealed, unseal
from lineside.runtime.captures.captures import Captures
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.strategies import Seen
from tests.runtime.captures.worlds import image
from tests.runtime.results import result

SETTINGS = CaptureSettings(random=1.0, sealed=True)


def certificate(path: Path) -> ec.EllipticCurvePrivateKey:
    """Writes a device's certificate; its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cam-1")])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + datetime.timedelta(days=9000))
    path.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return key


def opened(box: Sealed, name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    def agree(point: bytes) -> bytes:
        return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))

    return unseal(box, about(name).encode(), key.public_key(), agree)


def test_only_the_devices_key_reads_what_was_kept(tmp_path: Path) -> None:
    key = certificate(tmp_path / "device.pem")
    captures = Captures(SETTINGS, tmp_path, tmp_path / "captures", {"LINESIDE_CERT": str(tmp_path / "device.pem")})
    wanted = captures.chooser.choose(Seen(digest_of(image(1)), "in", (), ()))
    assert wanted
    assert captures.keep(image(1), wanted, result("a.jpg", 5))
    captures.close()
    stored = (tmp_path / "captures" / f"{wanted.id}.bin").read_bytes()
    assert image(1) not in stored
    box = boxed(stored)
    assert box
    assert opened(box, wanted.id, key) == image(1)
    with pytest.raises(ValueError, match="sealed as something else"):
        opened(box, "another", key)
    with pytest.raises(ValueError, match="half a box"):
        boxed(stored[: len(stored) // 2])
    assert boxed(image(1)) is None


@pytest.mark.parametrize("path", ["", "absent.pem", "junk.pem"])
def test_without_a_certificate_nothing_is_kept_in_clear_instead(tmp_path: Path, path: str) -> None:
    (tmp_path / "junk.pem").write_bytes(b"junk")
    with pytest.raises(LinesideError) as caught:
        Captures(SETTINGS, tmp_path, tmp_path / "captures", {"LINESIDE_CERT": path and str(tmp_path / path)})
    assert caught.value.code == "capture.no_key"


def test_a_certificate_that_is_gone_later_is_counted(tmp_path: Path) -> None:
    certificate(tmp_path / "device.pem")
    captures = Captures(SETTINGS, tmp_path, tmp_path / "captures", {"LINESIDE_CERT": str(tmp_path / "device.pem")})
    (tmp_path / "device.pem").unlink()
    wanted = captures.chooser.choose(Seen(digest_of(image(1)), "in", (), ()))
    assert wanted
    assert captures.keep(image(1), wanted, result("a.jpg", 5)) is None
    assert captures.status().strategies["random"].refused == {"not sealed": 1}
    captures.close()
    assert list((tmp_path / "captures").iterdir()) == []
