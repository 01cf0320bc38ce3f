"""What rooms are made of: the `Core` each of them receives, and the `Room` each of them gives to the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from litestar.types import ControllerRouterHandler

from lineside.contract.overview import Need
from lineside.server.access.audit import Audit
from lineside.server.access.events import Events
from lineside.server.adapters.objects import ObjectStore
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import Repository, Shelf
from lineside.server.clock import Clock
from lineside.server.database import Database
from lineside.server.settings import Settings
from lineside.server.wakes import Wakes


class Hints(Protocol):
    """Says to a device that something new waits for it. A hint may be lost; nothing depends on it."""

    def hint(self, device: str) -> None:
        """Publish a hint; returns at once, from any thread, and never fails."""
        ...

    def hint_all(self, devices: Sequence[str]) -> None:
        """Publish a hint to each of many devices; returns at once, from any thread, and never fails."""
        ...

    def drop(self, device: str, serial: str | None = None) -> None:
        """End a device's connections, or those with one certificate (serial in hex); returns at once, from any thread,
        and never fails."""
        ...

    def needs(self) -> tuple[Need, ...]:
        """What a person should know about the broker; any thread may ask."""
        ...


class NoHints:
    """No broker: devices find out by asking."""

    def hint(self, device: str) -> None:
        """Nothing to do."""

    def hint_all(self, devices: Sequence[str]) -> None:
        """Nothing to do."""

    def drop(self, device: str, serial: str | None = None) -> None:
        """Nothing to do."""

    def needs(self) -> tuple[Need, ...]:
        """Nothing can be wrong with it."""
        return ()


@dataclass(kw_only=True)
class Addresses:
    """Where the control plane is reached; known once its ports are."""

    people_url: str = "http://127.0.0.1:8400"
    people_hosts: frozenset[str] = frozenset()  # names people's API is called by, beside loopback's
    everywhere: bool = False  # whether other machines may reach people's API, under any of this one's addresses
    device_url: str = "https://127.0.0.1:8443"
    mqtt_host: str | None = None
    mqtt_port: int | None = None


@dataclass(frozen=True, kw_only=True)
class Core:
    """What every room's service receives."""

    root: Path
    settings: Settings
    database: Database
    objects: ObjectStore
    clock: Clock
    events: Events
    audit: Audit
    shelf: Shelf  # where signed metadata lies
    addresses: Addresses = field(default_factory=Addresses)
    hints: Hints = field(default_factory=NoHints)
    wakes: Wakes = field(default_factory=Wakes)
    needs: tuple[Need, ...] = ()  # what the start found that only a person can settle

    @property
    def keys(self) -> Path:
        """The folder of private keys (mode 0700)."""
        return self.root / "keys"

    def repository(self) -> Repository:
        """The repository that devices believe, with the keys that lie here."""
        return Repository(self.shelf, KeyFiles(self.keys), self.clock.now)


@dataclass(frozen=True)
class Loop:
    """A background job: `step` runs every `seconds`, in a thread, in one process at a time (a database lease), or in
    each control plane where it is about what lies in its own root."""

    name: str
    step: Callable[[], None]
    seconds: float = 1.0
    everywhere: bool = False


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a room gives to the app.

    `services` are handed to handlers by parameter name: `{"devices": DevicesService(core)}` fills a handler's
    `devices: NamedDependency[DevicesService]`. `people` are handlers below /api/v1, `devices` below /device/v1 (each
    asks for a valid access token unless it has `opt={"public": True}`), `pages` below /. `on_result` receives results
    by MQTT (device, payload), in a thread.
    """

    services: Mapping[str, Any] = field(default_factory=dict)
    people: Sequence[ControllerRouterHandler] = ()
    devices: Sequence[ControllerRouterHandler] = ()
    pages: Sequence[ControllerRouterHandler] = ()
    loops: Sequence[Loop] = ()
    on_result: Callable[[str, bytes], None] | None = None
