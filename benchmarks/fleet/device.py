"""One simulated device: asks and reports as an agent does, on one kept connection; its disk and model are made up."""

from __future__ import annotations

import random
import secrets
import ssl
import time
import uuid
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.util import urlsafe_b64encode

from benchmarks.fleet.population import FACTS, Member
from benchmarks.fleet.wire import Answer, Connection, Gone, connect, request
from lineside.contract.desired import Desired
from lineside.contract.device import AccessToken, TokenRequest
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent, ReportsRequest, Usage

API = "/device/v1"
HEARTBEAT = 300.0  # seconds after which an agent reports though nothing changed
EARLY = 30.0  # seconds before its end at which an agent renews its access token
_HEADER = urlsafe_b64encode(b'{"alg":"ES256"}').decode()


@dataclass(slots=True)
class Heard:
    """Milliseconds that answers took, by kind, and what went wrong."""

    times: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def took(self, kind: str, started: float) -> None:
        """Remember one."""
        self.times.setdefault(kind, []).append((time.perf_counter() - started) * 1e3)


class Device:
    """Connects when it must, proves its key when its token ends, asks, and reports what is new."""

    __slots__ = ("_connection", "_count", "_member", "_port", "_renew_at", "_report_at", "_sequence", "_tls",
                 "_token", "desired", "etag", "phase")  # fmt: skip

    def __init__(self, member: Member, port: int, tls: ssl.SSLContext, *, first: int = 0) -> None:
        """Its reports and its token requests are numbered from `first` on."""
        self._member, self._port, self._tls = member, port, tls
        self._connection: Connection | None = None
        self._token, self._renew_at = "", 0.0
        self._report_at = 0.0
        self._count = self._sequence = first
        self.etag = ""
        self.desired: Desired | None = None
        self.phase = Phase.IDLE

    async def check_in(self, heard: Heard, now: float) -> None:
        """One round at a moment (seconds): ask, report if there is something to say. A refusal is an error."""
        started = time.perf_counter()
        try:
            await self._check_in(heard, now)
        except (OSError, Gone, ValueError, msgspec.MsgspecError) as error:
            heard.errors.append(f"{self._member.name}: {error!r}")
        heard.took("check-in", started)

    async def _check_in(self, heard: Heard, now: float) -> None:
        if self._connection is None or not self._connection.open:
            started = time.perf_counter()
            self._connection = await connect(self._port, self._tls)
            heard.took("connect", started)
        if now >= self._renew_at:
            await self._prove(heard, now)
        await self._ask(heard)
        if now >= self._report_at:
            await self._tell(heard)
            self._report_at = now + HEARTBEAT

    @property
    def deployment(self) -> str | None:
        """Of the document it has."""
        return self.desired.deployment if self.desired else None

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def scatter(self, now: float, lifetime: float) -> None:
        """As if it had been up for a while: its next token and its next heartbeat are due at any time."""
        self._renew_at = now + random.uniform(0, lifetime)
        self._report_at = now + random.uniform(0, HEARTBEAT)

    async def _send(self, method: str, path: str, body: bytes = b"", extra: str = "", *, token: bool = True) -> Answer:
        assert self._connection is not None
        wire = request(method, API + path, self._token if token else "", body, extra)
        answer = await self._connection.ask(wire)
        if answer.status >= 400:
            raise ValueError(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
        return answer

    async def _prove(self, heard: Heard, now: float) -> None:
        body = msgspec.json.encode(TokenRequest(client_assertion=self._assertion()))
        started = time.perf_counter()
        answer = await self._send("POST", "/token", body, token=False)
        heard.took("token", started)
        found = msgspec.json.decode(answer.body, type=AccessToken)
        self._token, self._renew_at = found.access_token, now + found.expires_in - EARLY

    async def _ask(self, heard: Heard) -> None:
        started = time.perf_counter()
        extra = f"If-None-Match: {self.etag}\r\n" if self.etag else ""
        answer = await self._send("GET", "/desired", extra=extra)
        heard.took("desired", started)
        if answer.status == 304:
            return
        self.desired = msgspec.json.decode(answer.body, type=Desired)
        self.etag = answer.header("etag")
        self.phase, self._report_at = Phase.HEALTHY, 0.0

    async def _tell(self, heard: Heard) -> None:
        self._sequence += 1
        body = msgspec.json.encode(ReportsRequest(reports=(self._report(),)))
        started = time.perf_counter()
        await self._send("POST", "/reports", body)
        heard.took("report", started)

    def _assertion(self) -> str:
        now = int(time.time())
        self._count += 1
        claims = {
            "iss": self._member.name,
            "sub": self._member.name,
            "aud": "lineside",
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
            "count": self._count,
            "nonce": secrets.token_hex(8),
            "earlier": [],
        }
        text = f"{_HEADER}.{urlsafe_b64encode(msgspec.json.encode(claims)).decode()}"
        r, s = utils.decode_dss_signature(self._member.key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{urlsafe_b64encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big')).decode()}"

    def _report(self) -> Report:
        wanted = self.desired.components if self.desired else ()
        return Report(
            device=self._member.name,
            sequence=self._sequence,
            at=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            revision=self.desired.revision if self.desired else 0,
            phase=self.phase,
            running=tuple(
                ReportedComponent(
                    name=one.name,
                    version=one.version,
                    recipe_digest=one.recipe_digest,
                    state=ComponentState.RUNNING,
                    artifacts={"model.onnx": one.recipe_digest},
                    probe={"golden": "matched", "model_digest": one.recipe_digest, "images": 12},
                    usage=Usage(cpu_percent=round(random.uniform(20, 60), 1), memory_bytes=190_000_000),
                )
                for one in wanted
            ),
            facts=FACTS | {"uptime_seconds": int(time.monotonic()), "load": round(random.random(), 2)},
        )
