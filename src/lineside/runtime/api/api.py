"""The local API as a part of a running line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.inquiry import LivePicture
from lineside.runtime.announce import announce
from lineside.runtime.api.models import Ask, Models
from lineside.runtime.api.settings import ApiSettings, loopback

if TYPE_CHECKING:
    from lineside.runtime.api.server import Server

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
    ) -> None:
        """Raises `api.not_loopback`, `api.port_invalid`."""
        self._host, self._settings, self._work = loopback(settings), settings, work
        self._server = _server(models, ask, live)
        self.trouble: ErrorReport | None = None  # why nobody can ask

    def start(self) -> None:
        """Listen where the configuration says. Where that cannot be, `trouble` says why, and the line goes on."""
        if self._server is None:
            self._unusable(LinesideError("api.not_installed"))
            return
        try:
            if self._settings.socket:
                self._server.listen_unix(self._work / SOCKET)
            if self._settings.port:
                self._server.listen_loopback(self._host, self._settings.port)
        except LinesideError as error:
            self._unusable(error)
            return
        announce("api.ready", socket=self._settings.socket, port=self._settings.port)

    def _unusable(self, error: LinesideError) -> None:
        self.trouble = error.report()
        announce("api.unusable", code=error.code, why=error.message, next=error.next)

    def stop(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.stop()


def _server(models: Models, ask: Ask, live: Callable[[], LivePicture | None]) -> Server | None:
    """None on a device whose Lineside was installed before there was an API, and lacks h11: it goes on deciding."""
    try:
        from lineside.runtime.api.routes import Routes
        from lineside.runtime.api.server import Limits, Server
    except ModuleNotFoundError as error:
        if error.name != "h11":
            raise
        return None
    limits = Limits()
    return Server(Routes(models, ask, limits, live), limits)


def unasked(model: str, data: bytes) -> None:
    """No source of the line takes requests: pictures are answered, and not recorded."""
    del model, data
