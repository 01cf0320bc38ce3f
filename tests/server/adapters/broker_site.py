"""A broker and its devices, for tests: either broker, with real TLS and real paho clients."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from lineside.server.access.ca import CertificateAuthority, open_ca
from lineside.server.adapters.broker import Broker
from lineside.server.adapters.embedded_broker import EmbeddedBroker, tls_context
from lineside.server.adapters.external_broker import ExternalBroker
from lineside.server.broker_setup import Uses, open_broker
from lineside.server.settings import Settings
from lineside.server.testing import free_socket, until
from lineside.server.testing_device import key_pem, make_csr, make_key
from tests.eventually import PATIENCE
from tests.server.adapters.mosquitto import Mosquitto


@dataclass
class Site:
    """A broker in a thread of its own, and what it stored."""

    folder: Path
    ca: CertificateAuthority
    loop: asyncio.AbstractEventLoop
    port: int = 0
    broker: Broker = None  # type: ignore[assignment]
    mosquitto: Mosquitto = None  # type: ignore[assignment]
    accepted: set[str] = field(default_factory=lambda: {"cam-1", "cam-2"})
    refused: set[str] = field(default_factory=set)  # serials
    serials: dict[str, list[str]] = field(default_factory=dict)  # of the certificates that each device was given
    results: list[tuple[str, bytes]] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    leader: bool = True

    def on_result(self, device: str, payload: bytes) -> None:
        self.gate.wait(PATIENCE)
        if self.trouble:
            raise self.trouble.pop()
        self.results.append((device, payload))

    def uses(self) -> Uses:
        """What the broker asks its control plane."""
        return Uses(
            may_connect=lambda device, serial: device in self.accepted and serial not in self.refused,
            known=lambda device: device in self.accepted,
            leads=lambda: self.leader,
            on_result=self.on_result,
        )

    def start(self, broker: Broker) -> None:
        """Start it in the loop's thread; a broker of somebody else's is waited for."""

        async def begin() -> None:
            await broker.start()
            if isinstance(broker, ExternalBroker):
                await broker.up()

        self.wait(begin())

    def wait(self, job: Any) -> None:
        """Run a coroutine in the loop's thread to its end."""
        asyncio.run_coroutine_threadsafe(job, self.loop).result(PATIENCE)

    def external(self, leads: Callable[[], bool] | None = None) -> Broker:
        """Another control plane's side of the same Mosquitto, not yet started."""
        settings, server_pem = Settings(mqtt_url=self.mosquitto.url), self.folder / "server.pem"
        uses = replace(self.uses(), leads=leads or self.uses().leads)
        return open_broker(self.folder, settings, self.ca, server_pem, None, uses)


@contextlib.contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A site without a broker."""
    ca = open_ca(folder, datetime.now(UTC))
    (folder / "server.pem").write_bytes(ca.server_pem(["127.0.0.1"], datetime.now(UTC)))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = Site(folder, ca, loop)
    made.gate.set()
    try:
        yield made
    finally:
        made.gate.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Site]:
    """With the broker in this process."""
    with site(folder) as made, free_socket() as listener:
        made.port, uses = listener.getsockname()[1], made.uses()
        tls = tls_context(folder / "server.pem", made.ca.pem)
        made.broker = EmbeddedBroker(listener, tls, uses.may_connect, uses.on_result)
        made.start(made.broker)
        try:
            yield made
        finally:
            made.gate.set()
            made.wait(made.broker.stop())


@contextlib.contextmanager
def external(folder: Path) -> Iterator[Site]:
    """With a Mosquitto that has the configuration we write for it."""
    with site(folder) as made:
        made.mosquitto = Mosquitto(folder / "mosquitto", made.ca)
        made.mosquitto.start()
        made.port = made.mosquitto.port
        made.broker = made.external()
        try:
            made.start(made.broker)
            yield made
        finally:
            made.gate.set()
            made.wait(made.broker.stop())
            made.mosquitto.end()


class Client:
    """A paho client with a device's certificate."""

    def __init__(
        self, site: Site, device: str, *, ca: CertificateAuthority | None = None, fresh: bool = True, **options: Any
    ) -> None:
        options = {"client_id": "app", "clean_session": False} | options
        self.connack: int | None = None
        self.granted: list[int] = []
        self.messages: list[str] = []
        self.payloads: list[bytes] = []
        self.acknowledged: set[int] = set()
        self.lost = threading.Event()
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311, **options)
        self.paho.on_connect = lambda client, data, flags, reason, properties: setattr(self, "connack", reason.value)
        self.paho.on_subscribe = lambda client, data, mid, codes, properties: self.granted.extend(
            c.value for c in codes
        )
        self.paho.on_message = self._on_message
        self.paho.on_publish = lambda client, data, mid, reason, properties: self.acknowledged.add(mid)
        self.paho.on_disconnect = lambda *_: self.lost.set()
        self.paho.tls_set_context(_context(site, device, ca, fresh))
        self._port, self._must_connect = site.port, False

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        self.messages.append(message.topic)
        self.payloads.append(message.payload)

    def __enter__(self) -> Client:
        self.paho.connect("127.0.0.1", self._port, keepalive=20)
        self.paho.loop_start()
        if self._must_connect:
            until(lambda: self.connack is not None)
            assert self.connack == 0
        return self

    def __exit__(self, *_: object) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def connected(self) -> Client:
        """Entering waits until the broker has let it in."""
        self._must_connect = True
        return self

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> int:
        return self.paho.publish(topic, payload, qos).mid

    def subscribe(self, topic: str) -> int:
        before = len(self.granted)
        self.paho.subscribe(topic, 1)
        until(lambda: len(self.granted) > before)
        return self.granted[-1]


def _context(site: Site, device: str, ca: CertificateAuthority | None, fresh: bool) -> ssl.SSLContext:
    """TLS with a new certificate of the device's, or with its last one."""
    context = ssl.create_default_context(cadata=site.ca.pem)
    file = site.folder / f"{device}.pem"
    if device and fresh:
        key = make_key()
        signed = (ca or site.ca).sign_request(make_csr(key, device), device, datetime.now(UTC))
        site.serials.setdefault(device, []).append(signed.serial)
        file.write_text(key_pem(key) + signed.certificate)
    if device:
        context.load_cert_chain(file)
    return context
