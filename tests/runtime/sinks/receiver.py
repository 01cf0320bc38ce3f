"""A receiver of batches: a real HTTP or HTTPS server in a thread, which answers as the test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple


class Post(NamedTuple):
    """A request that came: where to, its headers, its body as it was and as JSON."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def sequences(self) -> list[int]:
        return [one["sequence"] for one in self.said["results"]]


class Receiver:
    """`answers` are the statuses of the next answers, 204 after them; `posts` is all that came. Of more than `most`
    bytes it reads nothing, answers 413 and hangs up."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.answers: list[int] = []
        self.posts: list[Post] = []
        self.connections = 0
        self.most = 1 << 40
        self.location = ""
        self.before_answer: Callable[[BaseHTTPRequestHandler], object] = lambda handler: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/told?line=3"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                receiver.connections += 1

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                if length > receiver.most:
                    self.close_connection = True
                    self.send_response(413)
                    self.end_headers()
                    return
                body = self.rfile.read(length)
                receiver.posts.append(Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                receiver.before_answer(self)
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                words = b"" if status == 204 else b"words\nof the receiver"
                if status != 204:
                    self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler
