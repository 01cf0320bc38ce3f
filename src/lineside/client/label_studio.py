"""Label Studio by its REST API: captures go there as tasks with predictions, labels come back (api.labelstud.io).

A personal access token is a refresh token (labelstud.io/guide/access_tokens): it is exchanged for an access token that
lasts some minutes, and is asked for again when that has ended. Neither is stored, nor sent to the control plane.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import urllib3

from lineside.client.client import Client
from lineside.contract.dataset import Box
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.review import Batch, LabelsReport, LabelsRequest, ReviewItem

_TIMEOUT = urllib3.Timeout(connect=10, read=120)
_MOST_BYTES = 256 << 20
_SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tif"}


class LabelStudio:
    """One Label Studio, as whoever has the token."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token, self._access = url.rstrip("/"), token, ""
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=urllib3.Retry(connect=2, read=0, redirect=0))

    def push(self, client: Client, project: int, batch: Batch) -> int:
        """Make a task of each capture, with what the model predicted; how many. Raises `labelstudio.…`."""
        predictions = []
        for item in batch.items:
            suffix = _SUFFIXES.get(item.record.content_type, "png")
            task = self._upload(project, f"{item.record.id}.{suffix}", client.get_blob(item.record.digest))
            if item.predicted:
                predictions.append(_prediction(task, item))
        if predictions:
            self._send("POST", f"/api/projects/{project}/import/predictions", body=json.dumps(predictions).encode())
        return len(batch.items)

    def pull(self, client: Client, project: int) -> LabelsReport:
        """Take the labels of all finished tasks as the caller's answers; those taken before are passed over. Raises
        `labelstudio.…`, `review.labels_refused`, `dataset.…`."""
        data = self._send("GET", f"/api/projects/{project}/export?exportType=JSON")
        digest = client.put_blob(data)
        return client.import_labels(LabelsRequest(files={"tasks.json": digest}, format="labelstudio"))

    def _upload(self, project: int, name: str, data: bytes) -> int:
        """One picture as one task; its number."""
        answer = self._send(
            "POST", f"/api/projects/{project}/import?return_task_ids=true", fields={"file": (name, data)}
        )
        tasks = _json(answer, self._url).get("task_ids")
        if not isinstance(tasks, list) or len(tasks) != 1 or not isinstance(tasks[0], int):
            raise LinesideError("labelstudio.refused", url=self._url, status=201, why="it named no task for a picture")
        return int(tasks[0])

    def _send(self, method: str, path: str, *, body: bytes | None = None, fields: Any = None) -> bytes:
        for again in (False, True):
            if not self._access or again:
                self._access = self._exchanged()
            headers = {"Authorization": f"Bearer {self._access}"}
            status, answer = self._ask(method, path, headers, body, fields)
            if status != 401:
                break
        if status >= 300:
            why = " ".join(answer[:300].decode("utf-8", "replace").split())
            raise LinesideError("labelstudio.refused", url=self._url, status=status, why=why or "nothing")
        return answer

    def _exchanged(self) -> str:
        body = json.dumps({"refresh": self._token}).encode()
        status, answer = self._ask("POST", "/api/token/refresh", {}, body, None)
        access = _json(answer, self._url).get("access") if status < 300 else None
        if not isinstance(access, str):
            raise LinesideError(
                "labelstudio.refused", url=self._url, status=status, why="it takes no such access token"
            )
        return access

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, fields: Any
    ) -> tuple[int, bytes]:
        more = {"Content-Type": "application/json"} if body is not None else {}
        asked: dict[str, Any] = {"fields": fields} if fields is not None else {"body": body}
        try:
            response = self._pool.request(
                method, self._url + path, headers={**headers, **more}, preload_content=False, redirect=False, **asked
            )
            try:
                answer = response.read(_MOST_BYTES + 1)
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise LinesideError("labelstudio.unreachable", url=self._url, why=type(error).__name__) from error
        if len(answer) > _MOST_BYTES:
            raise LinesideError("labelstudio.refused", url=self._url, status=response.status, why="it answers too much")
        return response.status, answer


def _json(answer: bytes, url: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer, type=dict[str, Any])
    except UNREADABLE:
        raise LinesideError("labelstudio.refused", url=url, status=200, why="its answer is no JSON object") from None


def _prediction(task: int, item: ReviewItem) -> dict[str, Any]:
    source = item.predicted[0].source
    version = f"{source.by}:{source.version}" if source else "lineside"
    regions = [_region(number, box, item) for number, box in enumerate(item.predicted)]
    return {"task": task, "result": regions, "model_version": version}


def _region(number: int, box: Box, item: ReviewItem) -> dict[str, Any]:
    """A rectangle in percent of the picture, for a labelling configuration with `label` and `image`."""
    value = {
        "x": 100 * box.x / item.width,
        "y": 100 * box.y / item.height,
        "width": 100 * box.width / item.width,
        "height": 100 * box.height / item.height,
        "rotation": 0,
        "rectanglelabels": [box.label],
    }
    return {
        "id": f"box-{number}",
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": item.width,
        "original_height": item.height,
        "image_rotation": 0,
        "value": value,
    }
