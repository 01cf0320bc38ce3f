"""The control plane in memory behind a real HTTP server, so that a worker in another process can be killed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import RegisterModel
from lineside.contract.run import CachedStep, RunFinish, Step, StepReport
from lineside.contract.worker import Beat, Claim, Leave, LogReport
from lineside.pipeline.testing import MemoryControl

_BASE = "/api/v1/"


class HttpControl:
    """Serves a `MemoryControl` at `url`; `stop` and `start` again at the same address, with everything kept."""

    def __init__(self, control: MemoryControl) -> None:
        self.control = control
        self.on_report: Callable[[Step], None] = lambda step: None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        outer = self

        class Handler(_Handler):
            http = outer

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.cut()
        self._server.server_close()

    def answer(self, method: str, parts: list[str], query: dict[str, str], body: bytes) -> bytes | Any | None:
        """What an operation answers: bytes as they are, None for no content, else a value for JSON."""
        control = self.control
        match method, parts:
            case "POST", ["blobs", "missing"]:
                return {"missing": control.blobs_missing(msgspec.json.decode(body)["digests"])}
            case "PUT", ["blobs", _]:
                return {"digest": control.put_blob(body)}
            case "GET", ["blobs", digest]:
                return control.get_blob(digest)
            case "GET", ["datasets", dataset]:
                return control.dataset(dataset)
            case "GET", ["datasets", dataset, "images"]:
                return control.dataset_images(dataset, offset=int(query["offset"]), limit=int(query["limit"]))
            case "POST", ["models"]:
                return control.register_model(msgspec.json.decode(body, type=RegisterModel))
            case "GET", ["models", reference]:
                return control.find_model(reference)
            case "GET", ["steps", key]:
                return self._cached(key)
            case "POST", ["workers", "beat"]:
                return control.beat(msgspec.json.decode(body, type=Beat))
            case "POST", ["workers", "leave"]:
                return control.leave(msgspec.json.decode(body, type=Leave))
            case "PUT", ["steps", _]:
                return control.cache_step(msgspec.json.decode(body, type=CachedStep))
            case _, ["runs", *rest]:
                return self._runs(method, rest, body)
        raise LinesideError("request.not_found", what="operation", name=f"{method} {parts}")

    def _runs(self, method: str, parts: list[str], body: bytes) -> Any:
        match method, parts:
            case "POST", ["claim"]:
                return self.control.claim_run(msgspec.json.decode(body, type=Claim))
            case "GET", [run]:
                return self.control.run(run)
            case "POST", [run, "steps"]:
                report = msgspec.json.decode(body, type=StepReport)
                self.control.report_step(run, report)
                self.on_report(report.step)
                return None
            case "POST", [run, "logs"]:
                self.control.add_log(run, msgspec.json.decode(body, type=LogReport))
                return None
            case "PUT", [run, "kept", *name]:
                return self.control.keep(run, "/".join(name), body)
            case "GET", [run, "kept"]:
                return self.control.kept_files(run)
            case "GET", [run, "kept", *name]:
                return self.control.kept_bytes(run, "/".join(name))
            case "POST", [run, "finish"]:
                return self.control.finish_run(run, msgspec.json.decode(body, type=RunFinish))
        raise LinesideError("request.not_found", what="operation", name=f"{method} {parts}")

    def _cached(self, key: str) -> CachedStep:
        found = self.control.cached_step(key)
        if found is None:
            raise LinesideError("request.not_found", what="step", name=key)
        return found


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that stopping really stops: an idle one would be answered still."""

    daemon_threads = False

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    http: HttpControl
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an acknowledgement

    def handle(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the worker was killed meanwhile
            super().handle()

    def _handle(self) -> None:
        body = self._body()
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.removeprefix(_BASE).split("/")]
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            answer = self.http.answer(self.command, parts, query, body)
        except LinesideError as error:
            self._send(error.kind, msgspec.json.encode({"error": error.report()}))
            return
        if answer is None:
            self._send(204, b"")
        else:
            self._send(200, answer if isinstance(answer, bytes) else msgspec.json.encode(answer))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Tests read no access log."""

    do_GET = do_POST = do_PUT = _handle  # the names http.server asks for
