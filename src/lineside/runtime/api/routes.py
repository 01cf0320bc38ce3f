"""Addresses of the Open Inference Protocol v2, and what answers each."""

from __future__ import annotations

from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from lineside import __version__
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import LivePicture
from lineside.contract.reading import UNREADABLE
from lineside.runtime.api import inference, messages
from lineside.runtime.api.models import Ask, Models, Slot
from lineside.runtime.api.server import Limits, Refused, Request, Response, error_response

T = TypeVar("T")

EXTENSIONS = ("binary_tensor_data", "model_repository", "model_configuration")
_AT_ONCE = 4
"""Inference requests that are read and answered at once: numbers in JSON take room, and models have few cores."""


class _LoadBody(msgspec.Struct):
    parameters: dict[str, Any] = {}


class _IndexBody(msgspec.Struct):
    ready: bool = False


class Routes:
    """Answers requests, from any thread."""

    def __init__(
        self,
        models: Models,
        ask: Ask,
        limits: Limits,
        live: Callable[[], LivePicture | None] = lambda: None,
    ) -> None:
        self._models, self._ask, self._limits, self._live = models, ask, limits, live
        self._free = BoundedSemaphore(_AT_ONCE)

    def __call__(self, request: Request) -> Response:
        """The answer; errors are worded as the protocol wants them."""
        try:
            return self._answered(request)
        except Refused as refused:
            return error_response(refused.status, refused.why)
        except LinesideError as error:
            return error_response(int(error.kind), error.message)

    def _answered(self, request: Request) -> Response:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        match request.method, parts:
            case "GET", ["v2"]:
                return _json({"name": "lineside", "version": __version__, "extensions": EXTENSIONS})
            case "GET", ["v2", "health", "live"]:
                return Response(200)
            case "GET", ["v2", "health", "ready"]:
                return Response(200 if self._models.names() else 400)
            case "GET" | "POST", ["v2", "models", name, "versions", version, *rest]:
                return self._model(request, name, version, rest)
            case "GET" | "POST", ["v2", "models", name, *rest]:
                return self._model(request, name, "", rest)
            case "GET", ["lineside", "live"] if request.local:  # what cameras see, for the agent alone
                picture = self._live()
                return Response(204) if picture is None else _json(picture)
            case "POST", ["v2", "repository", "index"]:
                return _json(self._index(_parsed(request, self._limits, _IndexBody).ready))
            case "POST", ["v2", "repository", "models", name, "load"]:
                return self._load(name, _parsed(request, self._limits, _LoadBody))
            case "POST", ["v2", "repository", "models", name, "unload"]:
                self._models.unload(self._configured(name))
                return _json({})
        raise Refused(404, f"there is no {request.method} {request.path[:200]}")

    def _model(self, request: Request, name: str, version: str, rest: list[str]) -> Response:
        if request.method == "GET" and rest == ["ready"]:
            return Response(200 if name in self._models.names() and self._is(name, version) else 400)
        slot = self._slot(name, version)
        match request.method, rest:
            case "GET", []:
                return messages.packed(request, _json(inference.metadata(name, slot.model)))
            case "GET", ["config"]:
                return messages.packed(request, _json(inference.config(name, slot.model)))
            case "POST", ["infer"]:
                return self._infer(request, name, slot)
        raise Refused(404, f"there is no {request.method} {request.path[:200]}")

    def _infer(self, request: Request, name: str, slot: Slot) -> Response:
        with self._free:
            asked = messages.read(request, self._limits.body)
            answer = inference.infer(name, slot, asked, self._ask)
            return messages.written(request, asked, name, str(answer.version), answer.outputs, answer.facts)

    def _slot(self, name: str, version: str) -> Slot:
        if name not in self._models.names():
            raise Refused(404, f"Request for unknown model: '{name[:80]}' is not found")
        if not self._is(name, version):
            raise Refused(404, f"Request for unknown model: '{name[:80]}' version {version[:20]} is not found")
        return self._models.slot(name)

    def _is(self, name: str, version: str) -> bool:
        return version in ("", str(self._models.slot(name).model.identity.version))

    def _index(self, ready: bool) -> list[dict[str, str]]:
        loaded = set(self._models.names())
        found = []
        for name in sorted({*loaded, *self._models.known()}):
            if name in loaded:
                version = str(self._models.slot(name).model.identity.version)
                found.append({"name": name, "version": version, "state": "READY", "reason": ""})
            elif not ready:
                found.append({"name": name, "version": "", "state": "UNAVAILABLE", "reason": "unloaded"})
        return found

    def _load(self, name: str, body: _LoadBody) -> Response:
        given = sorted(body.parameters)
        if given:
            raise Refused(400, f"a model is loaded as it is configured; '{given[0][:40]}' cannot be given")
        self._models.load(self._configured(name), self._models.known()[name])
        return _json({})

    def _configured(self, name: str) -> str:
        if name not in self._models.known():
            raise Refused(404, f"'{name[:80]}' is no model of this device's configuration")
        return name


def _json(value: Any) -> Response:
    return Response(200, (msgspec.json.encode(value),), {"content-type": "application/json"})


def _parsed(request: Request, limits: Limits, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(messages.unpacked(request, limits.body) or b"{}", type=kind)
    except UNREADABLE as error:
        raise Refused(400, f"failed to parse the request JSON: {error}") from error
