"""A control plane of canned answers, behind real HTTP: what commands ask is kept, what they get is from `values`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from lineside.contract.blob_pack import before
from lineside.contract.component import ComponentPage
from lineside.contract.dataset import DatasetPage
from lineside.contract.deployment import DeploymentPage
from lineside.contract.device import DevicePage
from lineside.contract.errors import LinesideError
from lineside.contract.group import Changed
from lineside.contract.ids import digest_of
from lineside.contract.registry import AliasHistory, CardHistory, ModelPage
from lineside.contract.rollout import RolloutPage
from lineside.contract.run import RunPage
from tests.cli import values

ANSWERS: dict[str, Any] = {
    "GET /overview": values.OVERVIEW,
    "GET /events": values.EVENTS,
    "POST /blobs/missing": {"missing": []},
    f"GET /blobs/{values.DIGEST}": b"the bytes",
    "POST /blobs/pack": before(digest_of(b"the bytes"), 9) + b"the bytes",
    "POST /datasets": values.IMPORT,
    "POST /datasets/looks": {"pictures": 0},
    "GET /datasets/ds-0123456789ab/export": values.DATASET_FOLDER,
    "GET /datasets": DatasetPage(versions=(values.DATASET,), offset=0, total=1),
    "GET /datasets/ds-0123456789ab": values.DATASET,
    "GET /datasets/metal-tags": values.DATASET,
    "GET /datasets/ds-0123456789ab/images": values.IMAGES,
    "POST /datasets/ds-0123456789ab/check": values.CHECKED,
    "POST /datasets/metal-tags/check": values.CLEAN,
    "GET /datasets/ds-0123456789ab/stats": values.STATS,
    "GET /datasets/ds-0123456789ab/diff/metal-tags": values.DIFF,
    "POST /field-sets": values.FIELD,
    "POST /runs": values.RUN,
    "GET /runs": RunPage(runs=(values.RUN,), total=1),
    "GET /runs/run-1": values.RUN,
    "GET /runs/run-1/curves": values.CURVES,
    "POST /runs/run-1/cancel": values.RUN,
    "POST /models/import": values.RUN,
    "GET /models": ModelPage(models=(values.MODEL,), total=1),
    "GET /models/compare": values.COMPARED,
    "GET /models/metal-tags%40production": values.MODEL,
    "GET /models/metal-tags/aliases": [values.ALIAS],
    "GET /models/metal-tags/aliases/production/history": AliasHistory(moves=values.ALIAS_MOVES, total=1),
    "POST /models/metal-tags/aliases/production": values.ALIAS,
    "POST /models/metal-tags/aliases/production/remove": values.ALIAS,
    "GET /models/metal-tags/1/card": values.CARD,
    "POST /models/metal-tags/1/card": values.CARD,
    "GET /models/metal-tags/1/card/history": CardHistory(edits=values.CARD_EDITS, total=1),
    "POST /models/metal-tags/1/retire": values.MODEL,
    "GET /models/metal-tags/1": values.MODEL,
    "POST /models/metal-tags/1/approve": values.MODEL,
    "POST /models/metal-tags/1/reject": values.MODEL,
    "GET /components": ComponentPage(components=tuple(values.COMPONENTS), offset=0, total=len(values.COMPONENTS)),
    "GET /components/metal-tags.model/1.0.0": values.COMPONENT,
    "POST /components": values.COMPONENTS[2],
    "POST /deployments": values.DEPLOYMENT,
    "GET /deployments": DeploymentPage(deployments=(values.DEPLOYMENT,), total=1),
    "GET /deployments/dep-1": values.DEPLOYMENT,
    "GET /rollouts": RolloutPage(rollouts=(values.ROLLOUT,), total=1),
    "GET /rollouts/ro-1/devices": values.ROLLOUT_DEVICES,
    "GET /rollouts/ro-1": values.ROLLOUT,
    "POST /rollouts/ro-1/abort": values.ROLLOUT,
    "POST /rollouts/ro-1/pause": values.ROLLOUT,
    "POST /rollouts/ro-1/resume": values.ROLLOUT,
    "POST /rollouts/ro-1/rollback": values.ROLLOUT,
    "POST /rollouts/ro-1/retry": values.ROLLOUT,
    "POST /devices/tokens": values.JOIN_TOKEN,
    "GET /devices": DevicePage(
        devices=(values.device("tag-station-1"), values.device("tag-station-2", healthy=False)), total=2
    ),
    "POST /devices/labels": Changed(devices=2),
    "GET /groups": [values.GROUP],
    "GET /groups/berlin": values.GROUP,
    "POST /groups": values.GROUP,
    "POST /groups/berlin": values.GROUP,
    "POST /groups/berlin/delete": values.GROUP,
    "POST /groups/berlin/add": Changed(devices=2),
    "POST /groups/berlin/remove": Changed(devices=1),
    "GET /devices/tag-station-1": values.device("tag-station-1"),
    "POST /devices/tag-station-1/revoke": values.device("tag-station-1"),
    "POST /devices/tag-station-1/inquiries": values.INQUIRY,
    "GET /devices/tag-station-1/inquiries/inquiry-1": values.ANSWER,
    "POST /devices/tag-station-1/inquiries/inquiry-1/end": values.ANSWER,
    "GET /devices/tag-station-1/exports": values.EXPORTS,
    "GET /results": values.RESULTS,
    "GET /captures": values.CAPTURES,
    "GET /captures/cap-1": values.CAPTURE,
}


class Asked(msgspec.Struct):
    """One request as it came in."""

    route: str
    query: dict[str, str]
    body: Any = None
    authorization: str | None = None


class CannedControlPlane:
    """Where it listens and what it was asked; `answers` may be changed by a test."""

    def __init__(self, port: int = 0) -> None:
        self.answers = dict(ANSWERS)
        self.asked: list[Asked] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        """Status and body for a request."""
        self.asked.append(asked)
        value = self.answers.get(asked.route)
        if value is None:
            error = LinesideError("request.not_found", what="thing", name=asked.route)
            return error.kind.value, msgspec.json.encode({"error": error.report()})
        return 200, value if isinstance(value, bytes) else msgspec.json.encode(value)


@contextmanager
def canned(port: int = 0) -> Iterator[CannedControlPlane]:
    """A canned control plane that listens while the context lasts."""
    plane = CannedControlPlane(port)
    thread = threading.Thread(target=plane.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield plane
    finally:
        plane.server.shutdown()
        thread.join()
        plane.server.server_close()


def _handler(plane: CannedControlPlane) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            where = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = msgspec.json.decode(raw) if raw and self.headers["Content-Type"] == "application/json" else raw
            route = f"{self.command} {where.path.removeprefix('/api/v1')}"
            status, answer = plane.answer(
                Asked(route, dict(parse_qsl(where.query)), body, self.headers["Authorization"])
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
