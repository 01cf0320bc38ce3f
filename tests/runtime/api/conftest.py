"""The local API over a real model, on a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineside.runtime.api.api import unasked
from lineside.runtime.api.models import Ask
from lineside.runtime.api.routes import Routes
from lineside.runtime.api.server import Limits, Server
from lineside.runtime.models.library import Library
from lineside.runtime.models.settings import ModelSettings


@dataclass
class House:
    """A server that listens, and its models."""

    server: Server
    models: Library
    port: int

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def models(bright_folder: Path) -> Iterator[Library]:
    """One that is loaded, and one that is not."""
    made = Library({name: ModelSettings(folder=str(bright_folder)) for name in ("bright", "spare")}, threads=1)
    made.load("bright")
    yield made
    made.close()


def opened(models: Library, limits: Limits | None = None, ask: Ask = unasked) -> House:
    server = Server(Routes(models, ask, limits or Limits()), limits)
    return House(server, models, server.listen_loopback("127.0.0.1", 0))


@pytest.fixture
def house(models: Library) -> Iterator[House]:
    made = opened(models)
    yield made
    made.server.stop()
