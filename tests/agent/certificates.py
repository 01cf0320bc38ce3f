"""A CA for tests, with real certificates."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class TestCa:
    """Signs the control plane's certificate and the devices'."""

    __test__ = False

    def __init__(self, shift: datetime.timedelta = datetime.timedelta()) -> None:
        self.shift = shift  # how far its clock is from the machine's
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key()
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = (
            self._builder(_name("test CA"), public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.sha256 = self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign(self, csr: str) -> str:
        """A device's certificate for its signing request."""
        request = x509.load_pem_x509_csr(csr.encode())
        assert request.is_signature_valid
        built = self._builder(request.subject, request.public_key()).add_extension(self._authority(), critical=False)
        return built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def server(self, folder: Path) -> tuple[Path, Path]:
        """Certificate and key files of a server on this machine."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.DNSName("plane.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        built = self._builder(_name("control plane"), key.public_key()).add_extension(names, critical=False)
        certificate = built.add_extension(self._authority(), critical=False).sign(self.key, hashes.SHA256())
        files = folder / "server.crt", folder / "server.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _authority(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())

    def _builder(self, subject: x509.Name, public: object) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC) + self.shift
        assert isinstance(public, ec.EllipticCurvePublicKey)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name("test CA"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
