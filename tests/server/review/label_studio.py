"""The fake beside Label Studio's REST API: the part that Lineside speaks, as api.labelstud.io documents it.

POST /api/token/refresh {"refresh"} -> {"access"}; POST /api/projects/N/import?return_task_ids=true (a file) ->
{"task_ids"}; POST /api/projects/N/import/predictions [{"task", "result", "model_version"}]; GET
/api/projects/N/export?exportType=JSON -> finished tasks with their annotations.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeLabelStudio:
    """One project, number 1. Access tokens end after `uses` requests."""

    def __init__(self, uses: int = 3) -> None:
        self.pat, self.uses = "personal-token", uses
        self.tasks: dict[int, dict[str, Any]] = {}
        self.access: dict[str, int] = {}
        self.broken = b""
        self.url = ""

    def finish(self, task: int, regions: list[dict[str, Any]]) -> None:
        """A person submits the task."""
        self.tasks[task]["annotations"] = [{"id": task, "was_cancelled": False, "result": regions}]

    def answer(self, method: str, path: str, token: str, kind: str, body: bytes) -> tuple[int, Any]:
        """What Label Studio says."""
        if path == "/api/token/refresh":
            if json.loads(body) != {"refresh": self.pat}:
                return 401, {"detail": "Token is invalid"}
            self.access[f"access-{len(self.access)}"] = self.uses
            return 200, {"access": f"access-{len(self.access) - 1}"}
        left = self.access.get(token.removeprefix("Bearer "), 0)
        if not token.startswith("Bearer ") or left < 1:
            return 401, {"detail": "Given token not valid"}
        self.access[token.removeprefix("Bearer ")] = left - 1
        if self.broken:
            return 200, self.broken
        return self._project(method, path, kind, body)

    def _project(self, method: str, path: str, kind: str, body: bytes) -> tuple[int, Any]:
        if (method, path) == ("POST", "/api/projects/1/import?return_task_ids=true"):
            name = re.search(rb'filename="([^"]+)"', body)
            if not kind.startswith("multipart/form-data") or name is None:
                return 400, {"detail": "no file"}
            number = len(self.tasks) + 1
            image = f"/data/upload/1/0123abcd-{name[1].decode()}"
            self.tasks[number] = {"id": number, "data": {"image": image}, "annotations": [], "predictions": []}
            return 201, {"task_count": 1, "task_ids": [number]}
        if (method, path) == ("POST", "/api/projects/1/import/predictions"):
            found = json.loads(body)
            for one in found:
                self.tasks[one["task"]]["predictions"].append(one)
            return 201, {"created": len(found)}
        if (method, path) == ("GET", "/api/projects/1/export?exportType=JSON"):
            return 200, [task for task in self.tasks.values() if task["annotations"]]
        return 404, {"detail": "Not found."}


@contextmanager
def label_studio(uses: int = 3) -> Iterator[FakeLabelStudio]:
    """On a free port."""
    fake = FakeLabelStudio(uses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            token, kind = self.headers.get("Authorization", ""), self.headers.get("Content-Type", "")
            status, answer = fake.answer(self.command, self.path, token, kind, body)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
