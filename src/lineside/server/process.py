"""The control plane as a process: both APIs, the broker, the loops and the worker's keeper in one asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvicorn

from lineside.contract.errors import LinesideError
from lineside.contract.overview import Need
from lineside.contract.people import OneTimeLink
from lineside.server.access.accounts import Accounts
from lineside.server.access.binding import Front, bracketed, check_open, is_loopback, open_front
from lineside.server.access.ca import CertificateAuthority, open_ca
from lineside.server.access.local_token import Doorkeepers, LocalTokens, local_token, new_worker_token
from lineside.server.access.shared_keys import check_keys
from lineside.server.access.started import record_start
from lineside.server.adapters.files import write_atomic
from lineside.server.adapters.tuf import take_newer
from lineside.server.app import build
from lineside.server.broker_setup import Uses, mqtt_address, open_broker
from lineside.server.clock import SystemClock
from lineside.server.database.schema import bring_up
from lineside.server.devices.store import may_connect, may_send
from lineside.server.loops import runner
from lineside.server.loops.lease import leases_of
from lineside.server.ports import Listeners
from lineside.server.root import open_core
from lineside.server.services import Addresses
from lineside.server.settings import Settings
from lineside.server.worker import Entry, Worker, worker_command, worker_name

_log = structlog.get_logger("lineside.process")
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_IDLE = 130  # seconds: agents keep a connection for 120
_SWITCH = 0.0005  # seconds: how long a loop's thread may keep the interpreter from those who answer check-ins
_AGAIN = 0.3  # seconds: a process and its group may both be sent the same signal; that is not a person insisting
_LAST_WORDS = 3.0  # seconds: a TLS connection whose other end sleeps would keep the process for half a minute


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """R/server.json: where a control plane that is ready can be reached."""

    pid: int
    people_url: str
    device_url: str
    mqtt_port: int
    ca_sha256: str
    people_ca: str | None = None  # PEM: what the certificate of an https people_url is checked against


class ControlPlane:
    """One control plane, from bound ports to the last child's end."""

    def __init__(self, root: Path, settings: Settings, listeners: Listeners) -> None:
        self._root, self._settings, self._listeners = root, settings, listeners
        clock = SystemClock()
        self._ca = open_ca(root / "keys", clock.now())
        self._server_pem = _write_server_pem(root / "keys", self._ca, settings)
        uses = Uses(may_connect=self._accepts, known=self._knows, leads=self._leads, on_result=self._take_result)
        self._broker = open_broker(root / "keys", settings, self._ca, self._server_pem, listeners.mqtt, uses)
        self._front = open_front(root / "keys", settings, self._ca, clock.now())
        addresses = _addresses(settings, listeners, self._front)
        command, needs = _worker_command(settings)
        needs = (*needs, *self._front.needs(clock.now()))
        self._core = replace(open_core(root, settings, clock, addresses, self._broker), needs=needs)
        bring_up(self._core.database)
        check_keys(self._core)
        take_newer(self._core.shelf, root / "tuf")
        self._leases = leases_of(self._core.database, clock, root)
        accounts = Accounts(self._core)
        check_open(root, settings, self._front.tls is not None, accounts.somebody_can_sign_in())
        _keep_first_link(root / "keys", accounts.first_link())
        self._core = replace(self._core, needs=(*needs, *record_start(self._core)))
        worker_token = new_worker_token()
        doorkeeper = Doorkeepers(LocalTokens(local_token(root / "keys"), worker_token), accounts)
        self._apps = build(self._core, doorkeeper)
        check_keys(self._core)  # those that a first start has made by now
        name = worker_name(root, shared=self._core.database.shared)
        entry = Entry(url=addresses.people_url, token=worker_token, ca=_keep_people_ca(root, self._front), name=name)
        log = root / "worker.log"
        self._worker = Worker(command, root / "worker", log, settings.log_bytes, entry) if command else None

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP, a second time hard; `ready` is called with the address for people."""
        _allow_many_connections()
        sys.setswitchinterval(_SWITCH)
        stopping = asyncio.Event()
        with self._signals(stopping):
            try:
                await self._serve(stopping, ready)
            finally:
                await asyncio.to_thread(self._core.database.close)

    async def _serve(self, stopping: asyncio.Event, ready: Callable[[str], None]) -> None:
        tls = self._front.tls
        people = _Server(self._apps.front, tls.certificate, tls.key) if tls else _Server(self._apps.front)
        idle = max(_IDLE, round(2.5 * self._settings.poll_seconds))  # devices come back on the connection they have
        devices = _Server(self._apps.door, self._server_pem, idle=idle)
        await self._broker.start()
        serving = [
            asyncio.create_task(people.serve([self._listeners.people]), name="people's API"),
            asyncio.create_task(devices.serve([self._listeners.devices]), name="devices' API"),
        ]
        beside: list[asyncio.Task[None]] = []
        if self._apps.loops:
            beside.append(asyncio.create_task(runner.run(self._core, self._apps.loops, self._leases), name="loops"))
        if self._worker is not None:
            beside.append(asyncio.create_task(self._worker.run(), name="worker"))
        try:
            await _started(people, devices, serving)
            self._announce(ready)
            await _first(stopping, [*serving, *beside])
        finally:
            await _end(beside)
            people.should_exit = devices.should_exit = True
            await asyncio.wait(serving, timeout=_LAST_WORDS)
            people.hang_up()
            devices.hang_up()
            await asyncio.gather(*serving, return_exceptions=True)
            await self._broker.stop()

    def _announce(self, ready: Callable[[str], None]) -> None:
        addresses = self._core.addresses
        assert addresses.mqtt_port is not None
        found = Ready(
            pid=os.getpid(),
            people_url=addresses.people_url,
            device_url=addresses.device_url,
            mqtt_port=addresses.mqtt_port,
            ca_sha256=self._ca.sha256,
            people_ca=self._front.tls.ca if self._front.tls else None,
        )
        write_atomic(self._root / "server.json", msgspec.json.encode(found))
        _log.info("ready", url=addresses.people_url)
        ready(addresses.people_url)

    @contextlib.contextmanager
    def _signals(self, stopping: asyncio.Event) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        first = 0.0

        def stop() -> None:
            nonlocal first
            if not stopping.is_set():
                _log.info("stopping")
                first = loop.time()
                stopping.set()
            elif loop.time() - first > _AGAIN:
                self._now()

        for number in _STOP:
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in _STOP:
                loop.remove_signal_handler(number)

    def _now(self) -> None:
        """The second Ctrl-C: end the worker and go. Everything stored is whole; that is what kill -9 is tested for."""
        _log.warning("ended at once")
        if self._worker is not None:
            self._worker.kill()
        os._exit(130)

    def _accepts(self, device: str, serial: str) -> bool:
        with self._core.database.read() as session:
            return may_connect(session, device, serial)

    def _knows(self, device: str) -> bool:
        with self._core.database.read() as session:
            return may_send(session, device)

    def _leads(self) -> bool:
        """Whether this process reads the results at a broker that several control planes share."""
        return self._leases.hold("results")

    def _take_result(self, device: str, payload: bytes) -> None:
        self._apps.on_result(device, payload)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the whole process ends in one place."""

    def __init__(
        self, app: Any, certificate: Path | None = None, key: Path | None = None, *, idle: int = _IDLE
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # else anybody on this machine could name the address they come from
                ssl_certfile=certificate,
                ssl_keyfile=key,
                http="httptools",
                timeout_keep_alive=idle,
                timeout_graceful_shutdown=2,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def hang_up(self) -> None:
        """End what connections are left, without a farewell."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _allow_many_connections() -> None:
    """Ten thousand devices are ten thousand open files: as many as the system lets us have, not as it begins with."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _started(people: _Server, devices: _Server, serving: list[asyncio.Task[None]]) -> None:
    while not (people.started and devices.started):
        for task in serving:
            if task.done():
                raise RuntimeError(f"{task.get_name()} did not start") from task.exception()
        await asyncio.sleep(0.01)


async def _first(stopping: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the signal. Raises RuntimeError when a part that should go on for ever ends before."""
    signalled = asyncio.create_task(stopping.wait(), name="signal")
    done, _ = await asyncio.wait([signalled, *tasks], return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    for task in done - {signalled}:
        raise RuntimeError(f"{task.get_name()} ended by itself") from task.exception()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _worker_command(settings: Settings) -> tuple[tuple[str, ...] | None, tuple[Need, ...]]:
    """The worker's program; when it cannot run, what a person should know about that."""
    try:
        return worker_command(settings.worker), ()
    except LinesideError as error:
        _log.warning("no worker", why=error.message)
        what = "Runs wait: the pipeline's extra [train] is not installed"
        return None, (Need(what=what, href="/runs", command=error.next),)


def _write_server_pem(keys: Path, ca: CertificateAuthority, settings: Settings) -> Path:
    """A new key and certificate at every start: nothing pins them, only the CA is remembered."""
    names = dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname(), settings.device_name))
    path = keys / "server.pem"
    write_atomic(path, ca.server_pem([name for name in names if name], SystemClock().now()), mode=0o600)
    return path


def _keep_first_link(keys: Path, link: OneTimeLink | None) -> None:
    """R/keys/first.link, for whoever started this: the link is a secret, so it goes neither to a log nor a pipe."""
    path = keys / "first.link"
    if link is None:
        path.unlink(missing_ok=True)
    else:
        write_atomic(path, f"{link.url}\n".encode(), mode=0o600)


def _keep_people_ca(root: Path, front: Front) -> Path | None:
    if front.tls is None:
        return None
    path = root / "people-ca.pem"
    write_atomic(path, front.tls.ca.encode())
    return path


def _addresses(settings: Settings, listeners: Listeners, front: Front) -> Addresses:
    name = settings.device_name or ("127.0.0.1" if is_loopback(settings.device_host) else socket.gethostname())
    broker = (name, listeners.mqtt.getsockname()[1]) if listeners.mqtt else mqtt_address(settings.mqtt_url)
    return Addresses(
        people_url=front.url(listeners.people.getsockname()[1]),
        people_hosts=front.hosts,
        everywhere=not is_loopback(settings.host),
        device_url=f"https://{bracketed(name)}:{listeners.devices.getsockname()[1]}",
        mqtt_host=broker[0],
        mqtt_port=broker[1],
    )


def print_ready(url: str) -> None:
    """The one line on standard output that whoever started this waits for."""
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()
