"""The embedded MQTT broker: amqtt in this process, behind TLS that asks for a certificate of our CA."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import socket

import structlog
from amqtt.broker import Broker as Amqtt
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from cryptography import x509
from cryptography.x509.oid import NameOID

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.contract.overview import Need
from lineside.server.adapters.broker import OnResult
from lineside.server.adapters.broker_link import LinkWriter, read_connect
from lineside.server.adapters.broker_rules import Rules, device_of
from lineside.server.adapters.hints import Spreading
from lineside.server.adapters.mqtt_packets import publish

_log = structlog.get_logger("lineside.broker")
_CONNECT_SECONDS = 10.0
_WAITING = 1000  # results taken in and not stored yet; more wait in their devices' sockets


def tls_context(server_pem: Path, ca_pem: str) -> ssl.SSLContext:
    """TLS 1.2 or newer; the client must show a certificate of our CA."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class EmbeddedBroker:
    """Listens on a bound socket. `may_connect` says whether a device may, with a certificate of a serial number (hex).

    It is called in a thread.
    """

    def __init__(
        self, listener: socket, tls: ssl.SSLContext, may_connect: Callable[[str, str], bool], on_result: OnResult
    ) -> None:
        self._listener, self._tls = listener, tls
        self._may_connect, self._on_result = may_connect, on_result
        self._links: dict[str, LinkWriter] = {}
        self._serials: dict[str, str] = {}  # by client id
        self._sockets: defaultdict[str, dict[asyncio.StreamWriter, str]] = defaultdict(dict)
        self._results: asyncio.Queue[tuple[str, bytes, LinkWriter, int | None]] = asyncio.Queue(_WAITING)
        self._spreading = Spreading()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Begin to listen."""
        rules = f"{Rules.__module__}.{Rules.__qualname__}"
        config = {"listeners": {"default": {"type": "external"}}, "plugins": {rules: {"desk": self}}}
        self._broker = Amqtt(config)
        await self._broker.start()
        self._server = await asyncio.start_server(self._connected, sock=self._listener, ssl=self._tls)
        self._storing = asyncio.create_task(self._store())
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Close the port and every connection. What was not acknowledged, devices send again."""
        self._loop = None
        self._server.close()
        for device in list(self._sockets):
            self._abort(device)
        await self._broker.shutdown()
        self._storing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._storing

    def hint(self, device: str) -> None:
        """Publish a hint; returns at once, from any thread, and never fails."""
        self.hint_all((device,))

    def hint_all(self, devices: Sequence[str]) -> None:
        """Publish a hint to each of many devices; returns at once, from any thread, and never fails."""
        payload = self._spreading.payload(len(devices))
        self._soon(lambda: self._publish_hints(devices, payload))

    def needs(self) -> tuple[Need, ...]:
        """Nothing: while this process runs, so does its broker."""
        return ()

    def drop(self, device: str, serial: str | None = None) -> None:
        """End a device's connections, or those with one certificate; returns at once, from any thread, never fails."""
        self._soon(lambda: self._abort(device, serial))

    def _soon(self, action: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                loop.call_soon_threadsafe(action)

    def _publish_hints(self, devices: Sequence[str], payload: bytes) -> None:
        """Straight to who has asked for them: amqtt compares each message with each subscription of the whole fleet."""
        for device in devices:
            topic = topics.hint(device)
            for session, _qos in self._broker.subscriptions.get(topic, ()):
                link = self._links.get(session.client_id or "")
                if link is not None:
                    link.write(publish(topic, payload))

    def _abort(self, device: str, serial: str | None = None) -> None:
        for writer, shown in self._sockets.get(device, {}).items():
            if serial in (None, shown):
                writer.transport.abort()

    # --- what the rules ask (broker_rules.Desk) -------------------------------------------------------------------

    async def may_connect(self, client_id: str) -> bool:
        """Whether the device may, with the certificate that this client has shown."""
        serial = self._serials.get(client_id)
        return serial is not None and await asyncio.to_thread(self._may_connect, device_of(client_id), serial)

    async def received(self, client_id: str, topic: str, payload: bytes, packet: int | None) -> None:
        """Queue a result to be stored; acknowledge everything else at once."""
        link, device = self._links.get(client_id), device_of(client_id)
        if link is None:
            return
        if topics.is_for_control_plane(device, topic):
            await self._results.put((device, payload, link, packet))
        elif packet is not None:
            link.stored(packet)

    # --- connections and results ----------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        device, serial = _shown_by(writer)
        self._sockets[device][writer] = serial
        client_id, link = "", LinkWriter(writer)
        try:
            client_id, link_reader = await asyncio.wait_for(read_connect(reader, device), _CONNECT_SECONDS)
            self._links[client_id], self._serials[client_id] = link, serial
            await self._broker.external_connected(link_reader, link, "default")
        except (AMQTTError, MQTTError, NoDataError, OSError, EOFError, TimeoutError) as error:
            _log.info("connection ended", device=device, why=repr(error))
        finally:
            if self._links.get(client_id) is link:
                del self._links[client_id], self._serials[client_id]
            self._sockets[device].pop(writer, None)
            writer.close()

    async def _store(self) -> None:
        while True:
            device, payload, link, packet = await self._results.get()
            if not await asyncio.to_thread(self._stored, device, payload):
                self._abort(device)  # it connects again, and sends again what was not acknowledged
            elif packet is not None:
                link.stored(packet)

    def _stored(self, device: str, payload: bytes) -> bool:
        """Whether the device may forget it: it is stored, or will never be."""
        try:
            self._on_result(device, payload)
        except LinesideError as error:
            _log.warning("result refused", device=device, code=error.code, why=error.message)
        except Exception:  # noqa: BLE001 the broker outlives whatever a room meets; the device sends it again
            _log.exception("result not stored", device=device)
            return False
        return True


def _shown_by(writer: asyncio.StreamWriter) -> tuple[str, str]:
    """The common name and the serial number (hex) in the certificate that TLS has verified."""
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value), f"{certificate.serial_number:x}"
