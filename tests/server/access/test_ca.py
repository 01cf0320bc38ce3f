"""The certificate authority: the same one after a restart, and strict about what it signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lineside.contract.errors import LinesideError
from lineside.server.access.ca import open_ca
from lineside.server.testing_device import make_csr, make_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = open_ca(tmp_path, NOW)
    assert open_ca(tmp_path, NOW + timedelta(days=1)).pem == first.pem
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    certificate = x509.load_pem_x509_certificate(first.pem.encode())
    assert first.sha256 == certificate.fingerprint(SHA256()).hex()
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_a_kill_between_its_two_files_does_no_harm(tmp_path: Path) -> None:
    open_ca(tmp_path, NOW)
    (tmp_path / "ca.pem").unlink()
    open_ca(tmp_path, NOW).sign_request(make_csr(make_key(), "cam-1"), "cam-1", NOW)


@pytest.mark.parametrize("damage", ["nonsense", "another key"])
def test_a_damaged_key_is_named(tmp_path: Path, damage: str) -> None:
    open_ca(tmp_path, NOW)
    other = tmp_path / "other"
    other.mkdir()
    open_ca(other, NOW)
    (tmp_path / "ca.key").write_bytes(b"nonsense" if damage == "nonsense" else (other / "ca.key").read_bytes())
    with pytest.raises(LinesideError) as error:
        open_ca(tmp_path, NOW)
    assert (error.value.code, error.value.params["file"]) == ("access.key_damaged", "ca.key")


def test_a_devices_certificate_is_for_that_device_and_signs_nothing(tmp_path: Path) -> None:
    key = make_key()
    signed = open_ca(tmp_path, NOW).sign_request(make_csr(key, "cam-1"), "cam-1", NOW)
    certificate = x509.load_pem_x509_certificate(signed.certificate.encode())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.subject.rfc4514_string() == "CN=cam-1"
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc


def test_only_one_name_and_one_kind_of_key(tmp_path: Path) -> None:
    ca, key = open_ca(tmp_path, NOW), make_key()
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "cam-1"), x509.NameAttribute(NameOID.COMMON_NAME, "cam-2")]
    two = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, SHA256())
    cases = {
        "two names": two.public_bytes(Encoding.PEM).decode(),
        "P-384": make_csr(ec.generate_private_key(ec.SECP384R1()), "cam-1"),
        "another name": make_csr(key, "cam-2"),
        "empty": "",
        "a certificate": ca.pem,
    }
    for case, csr in cases.items():
        with pytest.raises(LinesideError) as error:
            ca.sign_request(csr, "cam-1", NOW)
        assert error.value.code == "join.csr_invalid", case


def test_a_request_that_was_changed_is_not_signed(tmp_path: Path) -> None:
    lines = make_csr(make_key(), "cam-1").splitlines()
    flipped = "A" if lines[-3][10] != "A" else "B"
    lines[-3] = lines[-3][:10] + flipped + lines[-3][11:]
    with pytest.raises(LinesideError) as error:
        open_ca(tmp_path, NOW).sign_request("\n".join(lines), "cam-1", NOW)
    assert error.value.code == "join.csr_invalid"
