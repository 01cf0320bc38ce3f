"""The local API as a part of a running line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import LivePicture
from lineside.runtime.announce import announce
from lineside.runtime.api.models import Ask, Models
from lineside.runtime.api.routes import Routes
from lineside.runtime.api.server import Limits, Server
from lineside.runtime.api.settings import ApiSettings, loopback

SOCKET = "api.sock"


class Api:
    """Serves the models of this process. That it cannot be reached stops no decision: it is announced."""

    def __init__(
        self,
        settings: ApiSettings,
        models: Models,
        work: Path,
        ask: Ask,
        *,
        live: Callable[[], LivePicture | None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        """Raises `api.not_loopback`, `api.port_invalid`."""
        self.port = 0  # once it is listened on
        self._host, self._settings, self._work = loopback(settings), settings, work
        self._server = Server(Routes(models, ask, limits or Limits(), live), limits)

    def start(self) -> None:
        """Listen where the configuration says."""
        try:
            if self._settings.socket:
                self._server.listen_unix(self._work / SOCKET)
            if self._settings.port:
                self.port = self._server.listen_loopback(self._host, self._settings.port)
        except LinesideError as error:
            announce("api.unusable", code=error.code, why=error.message, next=error.next)
            return
        announce("api.ready", socket=self._settings.socket, port=self.port)

    def stop(self) -> None:
        """Close every connection."""
        self._server.stop()


def unasked(model: str, data: bytes) -> None:
    """No source of the line takes requests: pictures are answered, and not recorded."""
    del model, data
