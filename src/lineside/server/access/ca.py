"""The control plane's certificate authority (X.509, RFC 5280): it signs devices' keys and its own TLS certificate.

Keys are EC P-256. The CA's key is R/keys/ca.key, readable by its owner only; R/keys/ca.pem is public.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
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

CA_DAYS, SERVER_DAYS = 7300, 825
"""How long the CA's certificate and its own server's are good for. A device's: the setting `certificate_days`."""

_EARLIER = timedelta(days=1)  # a device's clock may be behind


@dataclass(frozen=True)
class RequestedKey:
    """The public key of a signing request: PEM, and its fingerprint (SHA-256 of its DER form, 64 hex digits)."""

    public_key: str
    fingerprint: str


@dataclass(frozen=True)
class Withdrawn:
    """A certificate that is good no more: its serial in hex, since when, and why."""

    serial: str
    at: datetime
    reason: x509.ReasonFlags


@dataclass(frozen=True)
class SignedKey:
    """What signing a request gave: the certificate (PEM), its serial number in hex and its end, and the key in it."""

    certificate: str
    public_key: str
    fingerprint: str
    serial: str
    ends_at: datetime


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

    def read_request(self, csr: str, name: str) -> RequestedKey:
        """The key of a PEM request. Raises `join.csr_invalid` unless it is P-256 and the subject CN=`name`."""
        return _requested(_checked(csr, name))

    def sign_request(self, csr: str, name: str, now: datetime, life: timedelta = timedelta(days=90)) -> SignedKey:
        """Sign a device's PEM request. Raises what `read_request` raises."""
        request = _checked(csr, name)
        key = _requested(request)
        builder = self._builder(name, _key_of(request), now, life).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        certificate = builder.sign(self._key, SHA256())
        return SignedKey(
            certificate=certificate.public_bytes(Encoding.PEM).decode(),
            public_key=key.public_key,
            fingerprint=key.fingerprint,
            serial=serial_of(certificate),
            ends_at=certificate.not_valid_after_utc,
        )

    def revocation_list(self, withdrawn: Iterable[Withdrawn], now: datetime, life: timedelta) -> str:
        """A CRL (RFC 5280, section 5), PEM, good for `life`; its number is the second it was made in."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - min(_EARLIER, life))
            .next_update(now + life)
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for one in withdrawn:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(int(one.serial, 16))
                .revocation_date(one.at)
                .add_extension(x509.CRLReason(one.reason), critical=False)
                .build()
            )
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM).decode()

    def sign_server_request(self, csr: str, names: Sequence[str], now: datetime) -> SignedKey:
        """Sign the PEM request of a TLS server with these host names and addresses. Raises `join.csr_invalid`."""
        request = _checked(csr, names[0])
        certificate = self._server(names, _key_of(request), now)
        key = _requested(request)
        return SignedKey(
            certificate=certificate.public_bytes(Encoding.PEM).decode(),
            public_key=key.public_key,
            fingerprint=key.fingerprint,
            serial=serial_of(certificate),
            ends_at=certificate.not_valid_after_utc,
        )

    def server_pem(self, names: Sequence[str], now: datetime) -> bytes:
        """A new private key, its TLS server certificate for host names and addresses, and the CA's: PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._server(names, key.public_key(), now)
        return _private_pem(key) + certificate.public_bytes(Encoding.PEM) + self.pem.encode()

    def _server(self, names: Sequence[str], key: ec.EllipticCurvePublicKey, now: datetime) -> x509.Certificate:
        builder = self._builder(names[0], key, now, timedelta(days=SERVER_DAYS))
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(self._key, SHA256())

    def client_pem(self, name: str, now: datetime) -> bytes:
        """A new private key and its TLS client certificate: PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, key.public_key(), now, timedelta(days=SERVER_DAYS)).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        return _private_pem(key) + builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def known_name(self, purpose: str) -> str:
        """A name for something, the same wherever this CA's key is, and nobody else's to guess."""
        return f"lineside-{purpose}-{hmac.digest(_private_pem(self._key), purpose.encode(), 'sha256').hex()[:32]}"

    def _builder(
        self, name: str, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
    ) -> x509.CertificateBuilder:
        return _common(_name(name), self._certificate.subject, key, now, life).add_extension(
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
    builder = _common(name, name, key.public_key(), now, timedelta(days=CA_DAYS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(usage, critical=True).sign(key, SHA256())


def _common(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - min(_EARLIER, life / 10))
        .not_valid_after(now + life)
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


def serial_of(certificate: x509.Certificate) -> str:
    """A certificate's serial number as it is stored: hex without leading zeros."""
    return f"{certificate.serial_number:x}"


def _key_of(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    public = request.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return public


def _requested(request: x509.CertificateSigningRequest) -> RequestedKey:
    public = _key_of(request)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return RequestedKey(_public_pem(public), hashlib.sha256(der).hexdigest())


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
