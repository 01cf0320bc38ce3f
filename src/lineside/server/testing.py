"""What tests of every room use: a clock that is set by hand, and the control plane on real ports.

with running(tmp_path) as lineside:
    httpx.get(lineside.people_url + "/api/v1/events")
    lineside.core.clock.advance(60)
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import Dialect, StaticPool, create_engine, inspect

from lineside.server.access.authentication import Doorkeeper
from lineside.server.access.testing import OpenDoor
from lineside.server.app import ROOMS, Apps, build
from lineside.server.clock import Clock, SystemClock
from lineside.server.database import Base, Database
from lineside.server.root import open_core
from lineside.server.services import Addresses, Core, Room
from lineside.server.settings import Settings


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move it forward."""
        self._now += timedelta(seconds=seconds)


def until(condition: Callable[[], Any], seconds: float = 240.0) -> Any:
    """Wait for `condition` to give something true, and return it. Raises TimeoutError."""
    began = time.monotonic()
    pause = threading.Event()
    while not (value := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise TimeoutError(f"{condition} stayed false for {seconds} s")
        pause.wait(min(max(0.02, waited / 10), 0.5))  # asking takes the processors from what is waited for
    return value


_QUICK = {"twin_soak_seconds": 0.0}


def make_core(root: Path, clock: Clock | None = None, **settings: Any) -> Core:
    """A core on `root` with a new database; close it with `core.database.close()`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "keys").mkdir(mode=0o700, exist_ok=True)
    core = open_core(root, replace(Settings(), **_QUICK | settings), clock or SystemClock())
    _make_tables(core.database)
    _compile_once(core.database)
    return core


_DIALECTS: dict[str, tuple[Dialect, Any]] = {}


def _compile_once(database: Database) -> None:
    """Every database of a process has the statements that the first of its kind has compiled: a test asks its new one
    for little more than once, and compiling takes longer than asking."""
    engine = database.engine
    if engine.dialect.name not in _DIALECTS:
        engine.connect().close()  # a dialect learns what it talks to from the first connection
        _DIALECTS[engine.dialect.name] = engine.dialect, engine._compiled_cache
    for one in (engine, database._reader, database._writer):
        one.dialect, one._compiled_cache = _DIALECTS[engine.dialect.name]


def _make_tables(database: Database) -> None:
    """Every table, where there are none yet: a new file of SQLite is a copy of one that was made once."""
    if not database.shared:
        file = Path(str(database.engine.url.database))
        if not file.exists():
            file.write_bytes(_with_tables(len(Base.metadata.tables)))
            return
    if not Base.metadata.tables.keys() <= set(inspect(database.engine).get_table_names()):
        Base.metadata.create_all(database.engine)


@lru_cache
def _with_tables(number: int) -> bytes:
    """A SQLite database with every table, and nothing in them."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with contextlib.closing(engine.raw_connection()) as connection:
        data: bytes = connection.driver_connection.serialize()  # type: ignore[union-attr]
    engine.dispose()
    return data


@dataclass(frozen=True)
class Running:
    """A control plane that answers on real ports; the devices' API without TLS, so that any HTTP client will do."""

    core: Core
    apps: Apps

    @property
    def people_url(self) -> str:
        return self.core.addresses.people_url

    @property
    def device_url(self) -> str:
        return self.core.addresses.device_url


@contextmanager
def running(
    root: Path,
    clock: Clock | None = None,
    rooms: Sequence[Callable[[Core], Room]] = ROOMS,
    doorkeeper: Doorkeeper | None = None,
    **settings: Any,
) -> Iterator[Running]:
    """The people's and the devices' API of some rooms (all by default), served by uvicorn in threads on free ports.

    Everybody is let in as an admin, unless a test of access names a doorkeeper.
    """
    core = make_core(root, clock, **settings)
    with contextlib.ExitStack() as stack:
        stack.callback(core.database.close)
        people, devices = stack.enter_context(free_socket()), stack.enter_context(free_socket())
        addresses = Addresses(people_url=_url(people), device_url=_url(devices))
        core = replace(core, addresses=addresses)
        apps = build(core, doorkeeper or OpenDoor(), rooms)
        stack.enter_context(_served((apps.front, people), (apps.door, devices)))
        yield Running(core, apps)


def free_socket() -> socket.socket:
    """A socket bound to a free loopback port."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.bind(("127.0.0.1", 0))
    return taken


def _url(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def _served(*apps: tuple[Any, socket.socket]) -> Iterator[None]:
    servers = [
        uvicorn.Server(uvicorn.Config(app, log_config=None, proxy_headers=False, timeout_graceful_shutdown=2))
        for app, _ in apps
    ]

    async def serve() -> None:
        await asyncio.gather(*(server.serve([bound]) for server, (_, bound) in zip(servers, apps, strict=True)))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        until(lambda: all(server.started for server in servers) or not thread.is_alive())
        if not thread.is_alive():
            raise RuntimeError("the servers did not start")
        yield
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(10)
