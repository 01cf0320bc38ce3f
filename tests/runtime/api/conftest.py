"""The local API over a real model, on a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.result import Detection
from lineside.runtime.api.api import unasked
from lineside.runtime.api.models import Ask
from lineside.runtime.api.routes import Routes
from lineside.runtime.api.server import Limits, Server
from lineside.runtime.decode import Picture
from lineside.runtime.model import Inference, Model, load_folder


@dataclass
class Answer:
    inference: Inference
    model: Model

    @property
    def published(self) -> list[Detection]:
        return self.inference.detections


@dataclass
class Slot:
    model: Model

    def detect(self, data: bytes | Picture) -> Answer:
        return Answer(self.model.detect_timed(data), self.model)


@dataclass
class Loaded:
    """Models by name, loaded from folders."""

    folders: dict[str, Path]
    routed: set[str] = field(default_factory=set)
    slots: dict[str, Slot] = field(default_factory=dict)

    def names(self) -> list[str]:
        return sorted(self.slots)

    def known(self) -> dict[str, Path]:
        return self.folders

    def slot(self, name: str) -> Slot:
        return self.slots[name]

    def load(self, name: str, folder: Path) -> None:
        self.slots[name] = Slot(load_folder(folder, threads=1))

    def unload(self, name: str) -> None:
        if name in self.routed:
            raise LinesideError("request.invalid", why="a route needs it")
        del self.slots[name]


@dataclass
class House:
    """A server that listens, and its models."""

    server: Server
    models: Loaded
    port: int

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def models(bright_folder: Path) -> Loaded:
    found = Loaded({"bright": bright_folder, "spare": bright_folder})
    found.load("bright", bright_folder)
    return found


def opened(models: Loaded, limits: Limits | None = None, ask: Ask = unasked) -> House:
    server = Server(Routes(models, ask, limits or Limits()), limits)
    return House(server, models, server.listen_loopback("127.0.0.1", 0))


@pytest.fixture
def house(models: Loaded) -> Iterator[House]:
    made = opened(models)
    yield made
    made.server.stop()
