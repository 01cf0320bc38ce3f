"""The embedded broker, with real TLS and real paho clients: each device is who its certificate says, and no more."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.server.access.ca import CertificateAuthority, open_ca
from lineside.server.adapters.broker import FakeBroker
from lineside.server.adapters.embedded_broker import EmbeddedBroker, tls_context
from lineside.server.testing import free_socket, until
from lineside.server.testing_device import key_pem, make_csr, make_key


@dataclass
class Site:
    """A broker in a thread of its own, and what it stored."""

    folder: Path
    ca: CertificateAuthority
    broker: EmbeddedBroker
    port: int
    accepted: set[str]
    refused: set[str] = field(default_factory=set)  # serials
    serials: dict[str, list[str]] = field(default_factory=dict)  # of the certificates that each device was given
    results: list[tuple[str, bytes]] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def on_result(self, device: str, payload: bytes) -> None:
        self.gate.wait(10)
        if self.trouble:
            raise self.trouble.pop()
        self.results.append((device, payload))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    now = datetime.now(UTC)
    ca = open_ca(tmp_path, now)
    server_pem = tmp_path / "server.pem"
    server_pem.write_bytes(ca.server_pem(["127.0.0.1"], now))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with free_socket() as listener:
        made = Site(tmp_path, ca, None, listener.getsockname()[1], {"cam-1", "cam-2"})  # type: ignore[arg-type]
        made.gate.set()
        tls = tls_context(server_pem, ca.pem)
        made.broker = EmbeddedBroker(
            listener, tls, lambda device, serial: device in made.accepted and serial not in made.refused, made.on_result
        )

        async def start() -> None:
            await made.broker.start()

        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield made
        made.gate.set()
        asyncio.run_coroutine_threadsafe(made.broker.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Client:
    """A paho client with a device's certificate."""

    def __init__(self, site: Site, device: str, *, ca: CertificateAuthority | None = None, **options: Any) -> None:
        options = {"client_id": "app", "clean_session": False} | options
        self.connack: int | None = None
        self.granted: list[int] = []
        self.messages: list[str] = []
        self.acknowledged: set[int] = set()
        self.lost = threading.Event()
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311, **options)
        self.paho.on_connect = lambda client, data, flags, reason, properties: setattr(self, "connack", reason.value)
        self.paho.on_subscribe = lambda client, data, mid, codes, properties: self.granted.extend(
            c.value for c in codes
        )
        self.paho.on_message = lambda client, data, message: self.messages.append(message.topic)
        self.paho.on_publish = lambda client, data, mid, reason, properties: self.acknowledged.add(mid)
        self.paho.on_disconnect = lambda *_: self.lost.set()
        self.paho.tls_set_context(_context(site, device, ca))
        self._port, self._must_connect = site.port, False

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


def _context(site: Site, device: str, ca: CertificateAuthority | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=site.ca.pem)
    if device:
        key = make_key()
        signed = (ca or site.ca).sign_request(make_csr(key, device), device, datetime.now(UTC))
        site.serials.setdefault(device, []).append(signed.serial)
        file = site.folder / f"{device}.pem"
        file.write_text(key_pem(key) + signed.certificate)
        context.load_cert_chain(file)
    return context


def test_a_result_is_stored_under_the_certificates_name(site: Site) -> None:
    with Client(site, "cam-1").connected() as client:
        mid = client.publish(topics.results("cam-1"), b"one")
        until(lambda: mid in client.acknowledged)
        client.publish(topics.results("cam-1"), b"two", qos=0)
        until(lambda: len(site.results) == 2)
    assert site.results == [("cam-1", b"one"), ("cam-1", b"two")]


def test_a_result_is_acknowledged_only_when_it_is_stored(site: Site) -> None:
    site.gate.clear()
    with Client(site, "cam-1").connected() as client:
        result = client.publish(topics.results("cam-1"), b"one")
        mine = client.publish("factory/line-3/scratches", b"two")
        until(lambda: mine in client.acknowledged)  # sent later, acknowledged: nothing has to be stored
        assert result not in client.acknowledged
        site.gate.set()
        until(lambda: result in client.acknowledged)
        assert site.results == [("cam-1", b"one")]


def test_a_result_that_could_not_be_stored_comes_again(site: Site) -> None:
    site.trouble.append(OSError("disk full"))
    with Client(site, "cam-1").connected() as client:
        client.paho.reconnect_delay_set(1, 1)
        mid = client.publish(topics.results("cam-1"), b"one")
        until(lambda: mid in client.acknowledged)
    assert site.results == [("cam-1", b"one")]


def test_a_result_refused_for_good_is_not_sent_again(site: Site) -> None:
    site.trouble.append(LinesideError("request.invalid", why="not a result"))
    with Client(site, "cam-1").connected() as client:
        mid = client.publish(topics.results("cam-1"), b"one")
        until(lambda: mid in client.acknowledged)
    assert site.results == []


def test_another_devices_results_are_not_taken(site: Site) -> None:
    with Client(site, "cam-1").connected() as client:
        client.publish(topics.results("cam-2"), b"forged")
        client.publish(topics.hint("cam-2"), b"forged")
        mid = client.publish(topics.results("cam-1"), b"own")
        until(lambda: mid in client.acknowledged)
    assert site.results == [("cam-1", b"own")]


def test_a_hint_reaches_its_device_only(site: Site) -> None:
    with Client(site, "cam-1").connected() as first, Client(site, "cam-2").connected() as second:
        assert first.subscribe(topics.hint("cam-1")) < 0x80
        assert second.subscribe(topics.hint("cam-1")) == 0x80
        assert second.subscribe("#") == 0x80
        assert second.subscribe(topics.ALL_RESULTS) == 0x80
        assert second.subscribe(topics.hint("cam-2")) < 0x80
        site.broker.hint("cam-1")
        site.broker.hint("cam-2")
        until(lambda: first.messages and second.messages)
        assert (first.messages, second.messages) == ([topics.hint("cam-1")], [topics.hint("cam-2")])


@pytest.mark.parametrize("case", ["none", "another CA", "not joined", "revoked", "forged will"])
def test_who_is_not_let_in(site: Site, case: str) -> None:
    other = open_ca(_folder(site, "other"), datetime.now(UTC))
    site.accepted.discard("cam-2")
    cases = {
        "none": Client(site, ""),
        "another CA": Client(site, "cam-1", ca=other),
        "not joined": Client(site, "ghost"),
        "revoked": Client(site, "cam-2"),
        "forged will": Client(site, "cam-1"),
    }
    client = cases[case]
    if case == "forged will":
        client.paho.will_set(topics.results("cam-2"), b"forged", 1)
    try:
        with client:
            client.publish(topics.results("cam-1"), b"x")
            until(lambda: client.lost.is_set() or client.connack)
            assert client.connack != 0
    except OSError:
        pass  # the handshake itself was refused
    assert site.results == []


def test_a_revoked_device_is_cut_off(site: Site) -> None:
    with Client(site, "cam-1").connected() as client:
        site.accepted.discard("cam-1")
        site.broker.drop("cam-1")
        assert client.lost.wait(10)
        until(lambda: client.connack not in (0, None), 15)
    assert site.results == []


def test_a_superseded_certificate_is_cut_off_and_the_new_one_stays(site: Site) -> None:
    with Client(site, "cam-1").connected() as old, Client(site, "cam-1", client_id="new").connected() as new:
        superseded = site.serials["cam-1"][0]
        site.refused.add(superseded)
        site.broker.drop("cam-1", superseded)
        assert old.lost.wait(10)
        until(lambda: old.connack not in (0, None), 15)
        mid = new.publish(topics.results("cam-1"), b"still here")
        until(lambda: mid in new.acknowledged)
        assert not new.lost.is_set()
    assert site.results == [("cam-1", b"still here")]


def test_a_device_cannot_take_anothers_session_over(site: Site) -> None:
    with Client(site, "cam-1").connected() as first:
        first.subscribe(topics.hint("cam-1"))
        with Client(site, "cam-2").connected() as second:  # the same client id, sessions kept
            second.publish(topics.results("cam-1"), b"forged")
            mid = second.publish(topics.results("cam-2"), b"own")
            until(lambda: mid in second.acknowledged)
            site.broker.hint("cam-1")
            until(lambda: first.messages)
            assert not first.lost.is_set()
            assert second.messages == []
    assert site.results == [("cam-2", b"own")]


def test_two_programs_of_a_device_and_clients_without_an_id(site: Site) -> None:
    with (
        Client(site, "cam-1", client_id="agent").connected() as first,
        Client(site, "cam-1", client_id="runtime").connected() as second,
        Client(site, "cam-1", client_id="", clean_session=True).connected() as third,
    ):
        for client in (first, second, third):
            mid = client.publish(topics.results("cam-1"), b"x")
            until(lambda client=client, mid=mid: mid in client.acknowledged)
        assert not first.lost.is_set()
    assert len(site.results) == 3


def test_a_packet_too_large_ends_the_connection(site: Site) -> None:
    with Client(site, "cam-1").connected() as client:
        client.publish(topics.results("cam-1"), b"x" * (2 << 20))
        assert client.lost.wait(10)
    assert site.results == []


def test_the_fake_keeps_the_same_rules() -> None:
    results: list[tuple[str, bytes]] = []
    broker = FakeBroker(lambda device, payload: results.append((device, payload)))
    assert broker.publish("cam-1", topics.results("cam-1"), b"one")
    assert broker.publish("cam-1", "factory/line-3", b"two")
    assert not broker.publish("cam-1", topics.results("cam-2"), b"three")
    broker.drop("cam-1")
    assert not broker.publish("cam-1", topics.results("cam-1"), b"four")
    assert results == [("cam-1", b"one")]


def _folder(site: Site, name: str) -> Path:
    folder = site.folder / name
    folder.mkdir()
    return folder
