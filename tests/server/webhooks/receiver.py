"""A program that is told: a real HTTP server in a thread, which answers as the test says and can be killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, is_signed


class Receiver:
    """`answers` are the statuses of the next answers, 204 after them; `heard` is every message: (id, type, good)."""

    def __init__(self, answers: list[int] | None = None, port: int = 0) -> None:
        self.answers, self.heard, self.key = list(answers or []), list[tuple[str, str, bool]](), b""
        self.bodies: list[dict[str, Any]] = []
        self.hold: Callable[[], Any] = lambda: None
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"

    @property
    def types(self) -> list[str]:
        return [kind for _, kind, _ in self.heard]

    def kill(self) -> None:
        """From now on nobody listens."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, headers: Any, body: bytes) -> int:
        """Note a message; the status it is answered with."""
        said = json.loads(body)
        good = is_signed(self.key, headers[ID], int(headers[TIMESTAMP]), body, headers[SIGNATURE])
        self.heard.append((headers[ID], said["type"], good))
        self.bodies.append(said)
        self.hold()
        return self.answers.pop(0) if self.answers else 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.headers, body)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler
