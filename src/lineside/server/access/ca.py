"""The control plane's certificate authority (X.509, RFC 5280): it signs devices' keys and its own TLS certificate.

Keys are EC P-256. The CA's key is R/keys/ca.key, readable by its owner only; R/keys/ca.pem is public.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lineside.contract.errors import LinesideError
from lineside.server.adapters.files import write_atomic

CA_DAYS, DEVICE_DAYS, SERVER_DAYS = 7300, 3650, 825
"""How long certificates are good for. A device's ends earlier when the device is revoked."""

_EARLIER = timedelta(days=1)  # a device's clock may be behind


@dataclass(frozen=True)
class SignedKey:
    """What signing a request gave: the certificate and the public key in it, both PEM."""

    certificate: str
    public_key: str


class CertificateAuthority:
    """Signs with the CA key of a folder."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @property
    def pem(self) -> str:
        """The CA's certificate."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    @property
    def sha256(self) -> str:
        """The fingerprint people compare: SHA-256 of the certificate's DER, 64 hex digits."""
        return hashlib.sha256(self._certificate.public_bytes(Encoding.DER)).hexdigest()

    def sign_request(self, csr: str, name: str, now: datetime) -> SignedKey:
        """Sign a device's PEM request. Raises `join.csr_invalid` unless its key is P-256 and its subject CN=`name`."""
        request = _checked(csr, name)
        public = request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        builder = self._builder(name, public, now, DEVICE_DAYS).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        certificate = builder.sign(self._key, SHA256())
        return SignedKey(certificate.public_bytes(Encoding.PEM).decode(), _public_pem(public))

    def server_pem(self, names: Sequence[str], now: datetime) -> bytes:
        """A new private key, its TLS server certificate for host names and addresses, and the CA's: PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(names[0], key.public_key(), now, SERVER_DAYS)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        certificate = builder.sign(self._key, SHA256())
        return _private_pem(key) + certificate.public_bytes(Encoding.PEM) + self.pem.encode()

    def _builder(self, name: str, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> x509.CertificateBuilder:
        return _common(_name(name), self._certificate.subject, key, now, days).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )


def open_ca(folder: Path, now: datetime) -> CertificateAuthority:
    """The CA whose files lie in `folder`; made when they do not. Cut off in between, it is made anew: nobody saw it."""
    key_file, certificate_file = folder / "ca.key", folder / "ca.pem"
    if not certificate_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_atomic(key_file, _private_pem(key), mode=0o600)
        write_atomic(certificate_file, _own_certificate(key, now).public_bytes(Encoding.PEM))
    try:
        loaded = load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise LinesideError("access.key_damaged", file=key_file.name, why=error) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != certificate.public_key():
        raise LinesideError("access.key_damaged", file=key_file.name, why="key and certificate do not belong together")
    return CertificateAuthority(loaded, certificate)


def _own_certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("Lineside control plane CA")
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _common(name, name, key.public_key(), now, CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(usage, critical=True).sign(key, SHA256())


def _common(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _checked(csr: str, name: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
    except ValueError as error:
        raise LinesideError("join.csr_invalid", why="it is not a PEM certificate signing request") from error
    names = [attribute.value for attribute in request.subject]
    if not request.is_signature_valid:
        raise LinesideError("join.csr_invalid", why="its signature does not match its key")
    if names != [name] or not request.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        raise LinesideError("join.csr_invalid", why=f"its subject must be CN={name} and nothing else")
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise LinesideError("join.csr_invalid", why="its key must be EC P-256")
    return request


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
