"""Where people's API listens: on this machine's loopback alone, until it speaks TLS and somebody has a password."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lineside.contract.errors import LinesideError
from lineside.contract.overview import Need
from lineside.server.access.ca import CertificateAuthority
from lineside.server.adapters.files import write_atomic
from lineside.server.settings import Settings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("0.0.0.0", "::")
_SOON = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Tls:
    """A certificate for people's API: PEM files as a TLS server wants them, and what clients check it against."""

    certificate: Path
    key: Path | None  # None: it lies in `certificate`
    ca: str  # PEM
    hosts: tuple[str, ...]  # names and addresses it is good for
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Front:
    """How people reach the control plane."""

    host: str  # in its address
    hosts: frozenset[str]  # every name it is called by, beside loopback's
    tls: Tls | None

    def url(self, port: int) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{bracketed(self.host)}:{port}"

    def needs(self, now: datetime) -> tuple[Need, ...]:
        """What a person should see to."""
        if self.tls is None or self.tls.until > now + _SOON:
            return ()
        what = f"The pages' certificate ends on {self.tls.until:%Y-%m-%d}"
        return (Need(what=what, href="/", command=f"Renew {self.tls.certificate} and start again"),)


def open_front(keys: Path, settings: Settings, ca: CertificateAuthority, now: datetime) -> Front:
    """What the settings ask for; with `tls=own` a certificate is made. Raises `start.tls_invalid`."""
    tls = _tls(keys, settings, ca, now)
    named = _named(settings)
    hosts = frozenset(named if tls is None else (*named, *tls.hosts)) - {*_LOOPBACK, *_EVERYWHERE}
    return Front(host=_address(settings, tls), hosts=frozenset(host.lower() for host in hosts), tls=tls)


def check_open(root: Path, settings: Settings, tls: bool, somebody: bool) -> None:
    """Raises `start.not_open` when other machines could reach people's API and one of the two conditions is missing:
    it speaks TLS, and somebody has a way in."""
    if is_loopback(settings.host):
        return
    if not tls:
        step = f"Add --tls own, or --tls-cert FILE --tls-key FILE: lineside up --host {settings.host} --tls own"
        raise LinesideError("start.not_open", host=settings.host, why="it does not speak TLS", step=step)
    if not somebody:
        step = f"Start it without --host, and choose a password by the link it prints: lineside up --root {root}"
        raise LinesideError("start.not_open", host=settings.host, why="nobody has a password yet", step=step)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bracketed(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def _named(settings: Settings) -> tuple[str, ...]:
    asked = tuple(name.strip() for name in settings.people_names.split(",") if name.strip())
    own = () if is_loopback(settings.host) else (settings.device_name, socket.gethostname())
    return tuple(dict.fromkeys(name for name in (*asked, settings.host, *own) if name and name not in _EVERYWHERE))


def _address(settings: Settings, tls: Tls | None) -> str:
    """The first of the names that its certificate is good for; else a name of the certificate."""
    names = _named(settings) or _LOOPBACK[1:]
    if tls is None:
        return names[0]
    plain = [host for host in tls.hosts if "*" not in host]
    return next((name for name in names if name in tls.hosts), (plain or names)[0])


def _tls(keys: Path, settings: Settings, ca: CertificateAuthority, now: datetime) -> Tls | None:
    if settings.tls not in ("", "own"):
        raise LinesideError("start.tls_invalid", why=f"tls is {settings.tls!r}; it may be `own`")
    given = (settings.tls_cert, settings.tls_key)
    if settings.tls and any(given):
        raise LinesideError("start.tls_invalid", why="both tls=own and a certificate were given")
    if settings.tls:
        path = keys / "people.pem"
        names = tuple(dict.fromkeys((*_named(settings), *_LOOPBACK)))
        write_atomic(path, ca.server_pem(names, now), mode=0o600)
        return _loaded(path, None, ca.pem)
    if not any(given):
        return None
    if not all(given):
        raise LinesideError("start.tls_invalid", why="tls_cert and tls_key belong together, and one is missing")
    certificate = Path(settings.tls_cert).expanduser()
    return _loaded(certificate, Path(settings.tls_key).expanduser(), None)


def _loaded(certificate: Path, key: Path | None, ca: str | None) -> Tls:
    """Check that a TLS server can use the files. Without `ca` clients are given the certificate itself to compare."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")  # never asks at the terminal
        first = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ssl.SSLError, ValueError) as error:
        raise LinesideError("start.tls_invalid", why=f"{certificate}: {error}") from error
    pin = ca or first.public_bytes(Encoding.PEM).decode()
    return Tls(certificate=certificate, key=key, ca=pin, hosts=_hosts(first), until=first.not_valid_after_utc)


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))
