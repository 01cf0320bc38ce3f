"""A device for tests: it makes its key, joins over HTTP and calls the devices' API with real tokens.

device = TestDevice.join(lineside, "cam-1")
device.get("/desired").json()
device.report(revision=1, phase=Phase.HEALTHY, running=(…))
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

from lineside.contract.device import AccessToken, JoinAnswer, JoinRequest, JoinToken, JoinTokenRequest, TokenRequest
from lineside.contract.reported import Phase, Report, ReportedComponent, ReportsRequest
from lineside.server.testing import Running


def make_key() -> ec.EllipticCurvePrivateKey:
    """A key as devices make it: EC P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The private key as PEM (PKCS #8)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make_csr(key: Any, name: str) -> str:
    """A signing request with the subject CN=`name`, PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def make_assertion(key: ec.EllipticCurvePrivateKey, device: str, now: float, **changes: Any) -> str:
    """A client assertion (RFC 7523) good for 60 s; `changes` replace claims."""
    claims = {"iss": device, "sub": device, "aud": "lineside", "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
    return jwt.encode({"alg": "ES256"}, claims | changes, ECKey.import_key(key_pem(key)))


def make_token(lineside: Running, *, headers: dict[str, str] | None = None, **request: Any) -> JoinToken:
    """A join token, made over the people's API; `headers` say who asks, where not everybody may."""
    body = msgspec.json.encode(JoinTokenRequest(**request))
    answer = httpx.post(f"{lineside.people_url}/api/v1/devices/tokens", content=body, headers=headers)
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=JoinToken)


class TestDevice:
    """A joined device."""

    __test__ = False  # pytest: not a test

    def __init__(self, lineside: Running, name: str, key: ec.EllipticCurvePrivateKey, joined: JoinAnswer) -> None:
        self.lineside, self.name, self.key, self.joined = lineside, name, key, joined
        self.sequence = 0
        self._token: str | None = None

    @classmethod
    def join(
        cls, lineside: Running, name: str, *, group: str = "default", twin: bool = False, token: JoinToken | None = None
    ) -> TestDevice:
        """Make a token (unless there is one), a key and a request, and join."""
        key, token = make_key(), token or make_token(lineside, group=group, twin=twin)
        request = JoinRequest(token=token.token, name=name, csr=make_csr(key, name), twin=twin)
        answer = httpx.post(f"{lineside.device_url}/device/v1/join", content=msgspec.json.encode(request))
        answer.raise_for_status()
        return cls(lineside, name, key, msgspec.json.decode(answer.content, type=JoinAnswer))

    def assertion(self, **changes: Any) -> str:
        """A fresh client assertion, by the control plane's clock."""
        return make_assertion(self.key, self.name, self.lineside.core.clock.now().timestamp(), **changes)

    def token(self) -> str:
        """An access token, asked for once."""
        if self._token is None:
            body = msgspec.json.encode(TokenRequest(client_assertion=self.assertion()))
            answer = httpx.post(f"{self.lineside.device_url}/device/v1/token", content=body)
            answer.raise_for_status()
            self._token = msgspec.json.decode(answer.content, type=AccessToken).access_token
        return self._token

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call `path` below /device/v1 with the device's token."""
        headers = {"Authorization": f"Bearer {self.token()}"} | options.pop("headers", {})
        url = f"{self.lineside.device_url}/device/v1{path}"
        return httpx.request(method, url, headers=headers, timeout=30, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET below /device/v1."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        """POST a contract value below /device/v1."""
        return self.request("POST", path, content=msgspec.json.encode(body), **options)

    def report(
        self,
        *,
        revision: int,
        phase: Phase = Phase.HEALTHY,
        running: tuple[ReportedComponent, ...] = (),
        **fields: Any,
    ) -> httpx.Response:
        """Send the next report."""
        self.sequence += 1
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        report = Report(
            device=self.name, sequence=self.sequence, at=at, revision=revision, phase=phase, running=running, **fields
        )
        return self.post("/reports", ReportsRequest(reports=(report,)))
