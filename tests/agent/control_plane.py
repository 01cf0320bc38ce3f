"""A small real control plane for tests: HTTPS with its own CA, tokens by client assertion, python-tuf metadata."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from lineside.contract.capture import CaptureRecord, Ticket
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.device import AccessToken, JoinAnswer, JoinRequest, TokenRequest
from lineside.contract.errors import ErrorReport
from lineside.contract.export import ExportRecord
from lineside.contract.ids import content_digest, digest_of
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reported import Phase, Report, ReportsAnswer, ReportsRequest
from lineside.contract.sealing import seal
from lineside.contract.secret import GivenSecret, GivenSecrets, GivenVersion, about
from tests.agent.certificates import TestCa
from tests.agent.tuf_repository import TufRepository
from tests.eventually import PATIENCE

PREFIX = "/device/v1/"


class Refused(Exception):
    """An answer with an error body."""

    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


class ControlPlane:
    """What one device sees. Faults are switched on by setting attributes or changing `blobs` and `tuf.files`."""

    def __init__(self, folder: Path, shift: datetime.timedelta = datetime.timedelta()) -> None:
        self.ca = TestCa(shift)
        self.shift = shift
        self.tuf = TufRepository()
        self.blobs: dict[str, bytes] = {}
        self.reports: list[Report] = []
        self.captures: dict[str, CaptureRecord] = {}
        self.exports: dict[str, ExportRecord] = {}
        self.uploaded: dict[str, bytes] = {}
        self.secrets: dict[str, bytes] = {}
        self.questions: dict[str, Inquiry] = {}
        self.results_taken, self.captures_taken = "", ""  # what it says of them; nothing, as before it was said
        self.answers: dict[str, list[InquiryPart]] = {}
        self.served: Counter[str] = Counter()  # requests by path
        self.bytes_served: Counter[str] = Counter()
        self.claims: dict[str, int] = {}  # artifacts that are said to be of another length than they are
        self.break_after: int | None = None  # bytes after which an artifact's connection breaks
        self.stall_after: int | None = None  # bytes after which an artifact's connection stands still
        self.stalled = threading.Event()
        self.overloaded = 0  # answer so many requests with 503 and Retry-After
        self.revoked = False
        self.token = "join-me"
        self.used_assertions: set[str] = set()
        self.certificates: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.document = Desired(device="cell-1", revision=0, poll_seconds=0.2, soak_seconds=0.2)
        self.reported = threading.Condition()
        self._server = _server(self, folder)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The device API's address."""
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- what the fleet's people do -------------------------------------------------------------------------------

    def add_blob(self, data: bytes) -> str:
        """Offer an artifact; its digest."""
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def release(
        self, recipe: dict[str, Any], folder: str = "apps", update: ConfigurationUpdate | None = None
    ) -> DesiredComponent:
        """Sign a recipe and say how a desired document names it."""
        data = msgspec.json.encode(recipe)
        name, version = recipe["ComponentName"], recipe["ComponentVersion"]
        target = f"{folder}/{name}-{version}.json"
        self.tuf.add(target, data)
        return DesiredComponent(
            name=name,
            version=version,
            target=target,
            recipe_digest=digest_of(data),
            configuration_update=update or ConfigurationUpdate(),
        )

    def want(self, *components: DesiredComponent, **changes: Any) -> int:
        """The next desired document; its revision."""
        revision = self.document.revision + 1
        self.document = msgspec.structs.replace(self.document, components=components, revision=revision, **changes)
        return revision

    def wait_report(self, revision: int, *phases: Phase, timeout: float = PATIENCE) -> Report:
        """The first report about a revision in one of these phases."""

        def found() -> Report | None:
            return next((one for one in self.reports if one.revision == revision and one.phase in phases), None)

        with self.reported:
            self.reported.wait_for(found, timeout)
            report = found()
        assert report is not None, [(one.revision, one.phase, one.error) for one in self.reports]
        return report

    # --- the devices' API -----------------------------------------------------------------------------------------

    def join(self, request: JoinRequest) -> JoinAnswer:
        if request.token != self.token:
            raise Refused(403, "join.token_unknown")
        self.certificates[request.name] = self.ca.sign(request.csr)
        return JoinAnswer(
            device=request.name, certificate=self.certificates[request.name], ca=self.ca.pem, tuf_root=self.tuf.root
        )

    def access(self, request: TokenRequest) -> AccessToken:
        """Check a client assertion against the device's certificate; each is good once."""
        if self.revoked:
            raise Refused(403, "device.revoked")
        certificate = x509.load_pem_x509_certificate(self.certificates["cell-1"].encode())
        public = certificate.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        claims = jwt.decode(request.client_assertion, ECKey.import_key(public), algorithms=["ES256"]).claims
        assert claims["iss"] == claims["sub"] == "cell-1"
        now = time.time() + self.shift.total_seconds()
        if not now - 60 <= claims["iat"] <= now + 60:
            raise Refused(401, "auth.assertion_expired")
        assert claims["aud"] == "lineside"
        if claims["jti"] in self.used_assertions:
            raise Refused(401, "token.replayed")
        self.used_assertions.add(claims["jti"])
        token = f"token-{claims['jti']}"
        self.tokens.add(token)
        return AccessToken(access_token=token, expires_in=600)

    def given(self) -> GivenSecrets:
        """The secrets, sealed for the device; the version of each is its name."""
        certificate = x509.load_pem_x509_certificate(self.certificates["cell-1"].encode())
        public = certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        boxes = {name: seal(public, value, about(name, name).encode()) for name, value in self.secrets.items()}
        versions = {name: GivenVersion(id=name, stages=("AWSCURRENT",), box=box) for name, box in boxes.items()}
        return GivenSecrets(secrets=tuple(GivenSecret(name=name, versions=(one,)) for name, one in versions.items()))

    def accept(self, request: ReportsRequest) -> ReportsAnswer:
        with self.reported:
            known = {one.sequence for one in self.reports}
            self.reports += [one for one in request.reports if one.sequence not in known]
            self.reported.notify_all()
            return ReportsAnswer(accepted=max(one.sequence for one in self.reports))

    def answer(self, inquiry: str, part: InquiryPart) -> Inquiry:
        """A part of an answer; what is not asked any more is refused."""
        with self.reported:
            question = self.questions.get(inquiry)
            if question is None:
                raise Refused(409, "inquiry.ended")
            parts = self.answers.setdefault(inquiry, [])
            if part.number >= len(parts):
                parts.append(part)
            if part.done:
                del self.questions[inquiry]
            self.reported.notify_all()
            return question

    def export_ticket(self, record: ExportRecord) -> Ticket:
        self.exports[record.id] = record
        return Ticket(
            id=record.id,
            url=f"{PREFIX}exports/{record.id}",
            digest=record.digest,
            max_bytes=record.size,
            expires_at=record.claimed_at,
            uploaded=record.id in self.uploaded,
        )

    def ticket(self, record: CaptureRecord) -> Ticket:
        self.captures[record.id] = record
        return Ticket(
            id=record.id,
            url=f"{PREFIX}uploads/{record.id}",
            digest=record.digest,
            max_bytes=record.size,
            expires_at=record.captured_at,
            uploaded=record.id in self.uploaded,
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 44 ms for a delayed acknowledgement
    wbufsize = -1
    plane: ControlPlane

    def log_message(self, format: str, *args: Any) -> None:
        return

    def date_time_string(self, timestamp: float | None = None) -> str:
        moment = time.time() if timestamp is None else timestamp
        return super().date_time_string(moment + self.plane.shift.total_seconds())

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def do_PUT(self) -> None:
        self._serve(self._put)

    def _serve(self, handle: Any) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix(PREFIX)
        self.plane.served[path] += 1
        try:
            if self.plane.overloaded:
                self.plane.overloaded -= 1
                self._answer(503, b"", **{"Retry-After": "0"})
                return
            if path not in ("ca", "join", "token"):
                self._check_token()
            handle(path)
        except Refused as refusal:
            report = ErrorReport(code=refusal.code, message="The test control plane says no.")
            self._answer(refusal.status, msgspec.json.encode({"error": report}))

    def _check_token(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.plane.tokens:
            raise Refused(401, "token.unknown")
        if self.plane.revoked:
            raise Refused(403, "device.revoked")

    def _get(self, path: str) -> None:
        plane = self.plane
        if path == "ca":
            self._answer(200, plane.ca.pem.encode())
        elif path == "desired":
            tag = f'"r{plane.document.revision}-{content_digest(plane.document)[7:15]}"'
            same = self.headers.get("If-None-Match") == tag
            told = {"Lineside-Asked": str(len(plane.questions))} if plane.questions else {}
            told |= {"Lineside-Results": plane.results_taken} if plane.results_taken else {}
            told |= {"Lineside-Captures": plane.captures_taken} if plane.captures_taken else {}
            self._answer(304 if same else 200, b"" if same else msgspec.json.encode(plane.document), ETag=tag, **told)
        elif path == "secrets":
            given = plane.given()
            tag = content_digest(sorted(plane.secrets.items()))
            same = self.headers.get("If-None-Match") == tag
            self._answer(304 if same else 200, b"" if same else msgspec.json.encode(given), ETag=tag)
        elif path == "inquiries":
            self._answer(200, msgspec.json.encode(list(plane.questions.values())))
        elif path.startswith("tuf/"):
            self._file(plane.tuf.files, path.removeprefix("tuf/"))
        elif path.startswith("targets/"):
            self._file(plane.tuf.targets, path.removeprefix("targets/"))
        elif path.startswith("artifacts/"):
            self._artifact(path.removeprefix("artifacts/"))

    def _post(self, path: str) -> None:
        plane = self.plane
        kinds: dict[str, tuple[type[Any], Any]] = {
            "join": (JoinRequest, plane.join),
            "token": (TokenRequest, plane.access),
            "reports": (ReportsRequest, plane.accept),
            "captures": (CaptureRecord, plane.ticket),
            "exports": (ExportRecord, plane.export_ticket),
        }
        if path.startswith("inquiries/"):
            part = msgspec.json.decode(self.body, type=InquiryPart)
            self._answer(200, msgspec.json.encode(plane.answer(path.split("/")[1], part)))
            return
        kind, act = kinds[path]
        self._answer(200, msgspec.json.encode(act(msgspec.json.decode(self.body, type=kind))))

    def _put(self, path: str) -> None:
        self.plane.uploaded[path.removeprefix("uploads/").removeprefix("exports/")] = self.body
        self._answer(204, b"")

    def _file(self, files: dict[str, bytes], name: str) -> None:
        if name not in files:
            raise Refused(404, "request.not_found")
        self.plane.bytes_served[name] += len(files[name])
        self._answer(200, files[name])

    def _artifact(self, digest: str) -> None:
        if digest not in self.plane.blobs:
            raise Refused(404, "request.not_found")
        data = self.plane.blobs[digest]
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start and start >= len(data):
            raise Refused(416, "request.invalid")
        part = data[start:]
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        limit = self.plane.break_after if self.plane.stall_after is None else self.plane.stall_after
        sent = part if limit is None else part[:limit]
        self.plane.bytes_served[digest] += len(sent)
        self._answer(206 if start else 200, sent, length=self.plane.claims.get(digest, len(part)), **headers)
        if self.plane.stall_after is not None:
            self._stand_still()
        if limit is not None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _stand_still(self) -> None:
        """Until the other side has gone."""
        self.plane.stalled.set()
        self.connection.settimeout(60)
        with contextlib.suppress(OSError):
            self.rfile.read(1)

    def _answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # devices are killed in the middle of requests here


def _server(plane: ControlPlane, folder: Path) -> _Server:
    certificate, key = plane.ca.server(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = type("Handler", (_Handler,), {"plane": plane})
    server = _Server(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server
