"""A broker that is not ours (Mosquitto, or any other for MQTT 3.1.1): the control plane is a client of it.

Two connections, both by TLS with a certificate of our CA whose name no device can have:

hints    each control plane has its own. What cannot be sent is lost: devices ask by themselves.
results  one session for all control planes on one database; whoever holds the lease reads it. The broker keeps what
         comes in between, and each result is acknowledged only when it is stored, so that a control plane that dies
         loses none: the broker gives it to the next.

That the topic of a result names the device that sent it is the broker's to hold (docs/brokers.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.contract.overview import Need
from lineside.server.adapters import mqtt_packets as mqtt
from lineside.server.adapters.broker import OnResult
from lineside.server.adapters.hints import Spreading
from lineside.server.adapters.mqtt_connection import Address, Connection, open_connection
from lineside.server.adapters.mqtt_packets import MqttError, Published

_log = structlog.get_logger("lineside.broker")
_MIN_WAIT, _MAX_WAIT = 0.5, 30.0
_LOOK_SECONDS = 3.0  # between looks at the lease
_STORING = 200  # results taken in and not acknowledged yet

_Waiting = asyncio.Queue[tuple[int | None, "asyncio.Future[bool]"]]


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What the broker's results are for. All are called in threads.

    `leads` says whether this process may read results now; `known` whether a device may send any; `session` names the
    results' session at the broker: the same for all control planes, and nobody else's to guess.
    """

    on_result: OnResult
    known: Callable[[str], bool]
    leads: Callable[[], bool]
    session: str


@dataclass
class _Link:
    """One of the two connections, and why it is away; the first failure is forgiven."""

    failures: int = 0
    why: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)

    def worked(self) -> None:
        self.failures, self.why = 0, ""
        self.up.set()

    def failed(self, error: Exception) -> float:
        """Seconds to wait before the next try."""
        self.failures += 1
        self.why = str(error) or type(error).__name__
        self.up.clear()
        return min(_MAX_WAIT, _MIN_WAIT * 2.0 ** min(self.failures - 1, 10)) * random.uniform(0.5, 1.0)


class ExternalBroker:
    """The port `Broker`, over somebody else's broker. That it is away hurts nothing else; `needs` says so."""

    def __init__(self, address: Address, behind: Behind) -> None:
        self._address, self._behind = address, behind
        self._hints, self._results = _Link(), _Link()
        self._spreading = Spreading()
        self._sending: Connection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Connect in the background."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            asyncio.create_task(self._for_ever(self._hints, self._carry_hints), name="hints"),
            asyncio.create_task(self._for_ever(self._results, self._carry_results), name="results"),
        ]

    async def stop(self) -> None:
        """Disconnect. What was not acknowledged, the broker gives to whoever reads next."""
        self._loop = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hint(self, device: str) -> None:
        """Publish a hint; returns at once, from any thread, and never fails."""
        self.hint_all((device,))

    def hint_all(self, devices: Sequence[str]) -> None:
        """Publish a hint to each of many devices, in one write; returns at once, from any thread, and never fails."""
        if self._sending is None:
            return
        payload = self._spreading.payload(len(devices))
        self._soon(b"".join(mqtt.publish(topics.hint(device), payload) for device in devices))

    def drop(self, device: str, serial: str | None = None) -> None:
        """Nothing: the broker learns from the revocation list (docs/brokers.md), and results are refused at once."""

    def needs(self) -> tuple[Need, ...]:
        """What a person should know about: the broker cannot be reached, and why."""
        link = max(self._hints, self._results, key=lambda one: one.failures)
        if link.failures < 2:
            return ()
        error = LinesideError("broker.away", address=f"{self._address.host}:{self._address.port}", why=link.why)
        return (Need(what=error.message.rstrip("."), href="/devices", command=error.next),)

    async def up(self) -> None:
        """Wait until both connections stand."""
        await self._hints.up.wait()
        await self._results.up.wait()

    def _soon(self, data: bytes) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                loop.call_soon_threadsafe(self._send, data)

    def _send(self, data: bytes) -> None:
        if self._sending is not None:
            self._sending.send(data)

    # --- connections ----------------------------------------------------------------------------------------------

    async def _for_ever(self, link: _Link, carry: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await carry()
            except (OSError, MqttError, EOFError) as error:
                wait = link.failed(error)
                _log.info("no broker", why=link.why, tries=link.failures)
                await asyncio.sleep(wait)
            except Exception as error:  # noqa: BLE001 whatever a broker sends: the next connection may be better
                wait = link.failed(error)
                _log.exception("broker")
                await asyncio.sleep(wait)

    async def _carry_hints(self) -> None:
        connection = await open_connection(self._address, f"{topics.CONTROL_PLANE}-{secrets.token_hex(8)}", clean=True)
        try:
            self._sending = connection
            self._hints.worked()
            while True:
                await connection.packets()
        finally:
            self._sending = None
            await connection.close()

    async def _carry_results(self) -> None:
        while not await asyncio.to_thread(self._behind.leads):
            self._results.worked()  # somebody else reads: nothing is wrong
            await asyncio.sleep(_LOOK_SECONDS)
        connection = await open_connection(self._address, self._behind.session, clean=False)
        try:
            await connection.subscribe(topics.ALL_RESULTS, 1)
            await self._read_telemetry(connection)
            self._results.worked()
            waiting: _Waiting = asyncio.Queue(_STORING)
            await _first_of(
                self._receive(connection, waiting), self._acknowledge(connection, waiting), self._while_leading()
            )
        finally:
            await connection.close()

    async def _read_telemetry(self, connection: Connection) -> None:
        """A broker whose list of rights is older than these lets nobody read them: results come all the same."""
        for what, topic in (("telemetry", topics.ALL_TELEMETRY), ("drift", topics.ALL_DRIFT)):
            try:
                await connection.subscribe(topic, 1)
            except MqttError as error:
                _log.warning(f"{what} is not read", why=str(error))

    async def _while_leading(self) -> None:
        while await asyncio.to_thread(self._behind.leads):  # noqa: ASYNC110 the lease is in a database: nobody tells
            await asyncio.sleep(_LOOK_SECONDS)

    async def _receive(self, connection: Connection, waiting: _Waiting) -> None:
        while True:
            for packet in await connection.packets():
                if packet.kind == mqtt.PUBLISH:
                    message = mqtt.read_publish(packet)
                    stored = asyncio.ensure_future(asyncio.to_thread(self._stored, message))
                    await waiting.put((message.packet, stored))

    async def _acknowledge(self, connection: Connection, waiting: _Waiting) -> None:
        """In the order in which they came (MQTT 3.1.1, section 4.6)."""
        while True:
            packet, stored = await waiting.get()
            if not await stored:
                raise ConnectionError("a result could not be stored")  # the broker sends it again
            if packet is not None:
                connection.send(mqtt.puback(packet))

    def _stored(self, message: Published) -> bool:
        """Whether the broker may forget it: it is stored, or will never be."""
        device = topics.device_of(message.topic) or ""
        try:
            if not topics.is_for_control_plane(device, message.topic) or not self._behind.known(device):
                _log.warning("result refused", device=device, why="no device of ours")
                return True
            self._behind.on_result(device, message.payload)
        except LinesideError as error:
            _log.warning("result refused", device=device, code=error.code, why=error.message)
        except Exception:  # noqa: BLE001 the connection outlives whatever a room meets; the broker sends it again
            _log.exception("result not stored", device=device)
            return False
        return True


async def _first_of(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run until the first ends, end the others, and raise what it raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
