"""Joining a control plane: make a key, check the CA against what was told, ask for a certificate.

Everything else is written first, the join state last and in one step: a root without it has not joined.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lineside.agent import labels
from lineside.agent.clock import Clock
from lineside.agent.durable import write_atomically
from lineside.agent.facts import device_facts
from lineside.agent.keys.opening import choose
from lineside.agent.keys.port import CURRENT, NEXT, KeyStore
from lineside.agent.link import https as link
from lineside.agent.link import join_state
from lineside.agent.link.error import LinkError
from lineside.agent.link.http import Http
from lineside.agent.link.join_state import JoinState
from lineside.agent.link.renewal import Certified
from lineside.agent.link.tls import for_server
from lineside.agent.paths import Paths
from lineside.contract.device import CertificatePurpose, DeviceState, JoinAnswer, JoinRequest
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.ids import is_name, plain_fingerprint

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
"""Seconds between two questions of a device that waits to be accepted."""
_KEY_IS_SPENT = ("join.key_in_use", "auth.device_revoked")

_log = logging.getLogger(__name__)


class JoinOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `lineside agent join` was told."""

    url: str
    ca_sha256: str
    name: str
    token: str = ""  # without one its key was preauthorised, or a person accepts it
    wait: bool = False  # until a person has accepted it
    twin: bool = False
    force: bool = False
    labels: tuple[str, ...] = ()  # KEY=VALUE, kept for `labels`
    key: str | None = None  # where its key shall lie, see `keys.opening.choose`


def join(options: JoinOptions, paths: Paths, waiting: Callable[[JoinAnswer], None] = lambda answer: None) -> JoinState:
    """Join, and keep what came of it below the root. `waiting` is called once when a person has to decide.

    Raises `join.bad_name`, `label.…`, `join.already_joined`, `key.uri_invalid`, `device.key_unusable`,
    `join.ca_mismatch`, `link.unreachable`, `join.pending` unless it shall wait, and the control plane's own refusals (a
    token that has expired or was used up).
    """
    if not is_name(options.name):
        raise LinesideError("join.bad_name", name=options.name)
    if paths.join.exists() and not options.force:
        raise LinesideError("join.already_joined", root=paths.root, device=join_state.load(paths).device)
    labels.check(options.labels)
    url = options.url.rstrip("/")
    clock = Clock()
    ca = fetch_ca(url, options.ca_sha256)
    write_atomically(paths.ca, ca)
    keys = choose(paths, options.key)
    if options.labels:
        labels.save(paths, options.labels)
    certified = Certified(keys, paths.certificate, CertificatePurpose.DEVICE)
    certified.settle()
    keys.make(CURRENT)
    name, answer = _ask_with(keys, lambda csr: _accepted(url, options, csr, paths, clock, waiting), options)
    if name == NEXT:
        write_atomically(certified.next, answer.certificate.encode())
        certified.promote()
    else:
        write_atomically(paths.certificate, answer.certificate.encode())
        certified.forget()  # a renewal that was under way
    paths.mqtt_certificate.unlink(missing_ok=True)
    write_atomically(paths.ca, answer.ca.encode())
    write_atomically(paths.trusted_root, answer.tuf_root.encode())
    state = JoinState(
        device=answer.device,
        url=url,
        twin=options.twin,
        ca_sha256=fingerprint(ca),
        joined_at=clock.stamp(),
        mqtt_host=answer.mqtt_host or (urlsplit(url).hostname if answer.mqtt_port else None),
        mqtt_port=answer.mqtt_port,
    )
    join_state.save(paths, state)
    return state


def _ask_with(keys: KeyStore, ask: Callable[[str], JoinAnswer], options: JoinOptions) -> tuple[str, JoinAnswer]:
    """Ask with the key there is; one that the control plane knows under another name, and `--force`, with a new one."""
    try:
        return CURRENT, ask(keys.request(CURRENT, options.name))
    except RemoteError as error:
        if not options.force or error.code not in _KEY_IS_SPENT:
            raise
    keys.make(NEXT)
    return NEXT, ask(keys.request(NEXT, options.name))


def _accepted(
    url: str,
    options: JoinOptions,
    csr: str,
    paths: Paths,
    clock: Clock,
    waiting: Callable[[JoinAnswer], None],
) -> JoinAnswer:
    """The control plane's answer once it has let the device in. Raises `join.pending`."""
    answer = _ask(url, options, csr, paths, clock)
    if answer.state is DeviceState.PENDING and not options.wait:
        raise LinesideError("join.pending", device=answer.device, fingerprint=answer.fingerprint)
    if answer.state is DeviceState.PENDING:
        waiting(answer)
    pause = FIRST_PAUSE
    while answer.state is DeviceState.PENDING:
        time.sleep(pause * random.uniform(0.8, 1.2))
        pause = min(pause * 1.5, LONGEST_PAUSE)
        try:
            answer = _ask(url, options, csr, paths, clock)
        except LinkError as error:
            _log.info("asking again: %s", error.message)
    return answer


def fetch_ca(url: str, expected: str) -> bytes:
    """The control plane's CA certificate (PEM), if its SHA-256 is the expected one. Raises `join.ca_mismatch`.

    This one request cannot check the server's certificate; the fingerprint, which came another way, is the check.
    """
    client = Http(url, for_server(None), Clock(), pinned=False)
    try:
        response = link.send(client, "GET", "ca")
        link.check(response, "ca")
        pem = response.read()
    finally:
        client.close()
    actual = fingerprint(pem)
    if actual != plain_fingerprint(expected):
        raise LinesideError("join.ca_mismatch", url=url, actual=actual, expected=plain_fingerprint(expected))
    return pem


def fingerprint(pem: bytes) -> str:
    """SHA-256 of a certificate's DER form in hex; of the bytes themselves when they are no certificate."""
    try:
        return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
    except ValueError:
        return hashlib.sha256(pem).hexdigest()


def key_fingerprint(keys: KeyStore) -> str:
    """SHA-256 of the device's public key (DER, SubjectPublicKeyInfo) in hex: what people compare and preauthorise."""
    body = "".join(line for line in keys.public(CURRENT).splitlines() if not line.startswith("-"))
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def _ask(url: str, options: JoinOptions, csr: str, paths: Paths, clock: Clock) -> JoinAnswer:
    request = JoinRequest(
        token=options.token, name=options.name, csr=csr, twin=options.twin, facts=device_facts(paths.root)
    )
    client = Http(url, for_server(str(paths.ca)), clock)
    try:
        response = link.send(client, "POST", "join", msgspec.json.encode(request))
        link.check(response, "join")
        return link.decode(response.read(), JoinAnswer, "join")
    finally:
        client.close()
