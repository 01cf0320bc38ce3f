"""Ten thousand MQTT connections over TLS with devices' own certificates, which listen for hints and do nothing else."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import cast

from benchmarks.fleet.population import Member
from lineside.cli.mosquitto import Site, access_list, configuration
from lineside.contract import topics
from lineside.server.access.ca import open_ca

PROGRAM = Path("/usr/sbin/mosquitto")
_LANES = 16


class Mosquitto:
    """With the configuration that `lineside broker config mosquitto` writes; ended when the context is left."""

    def __init__(self, folder: Path, root: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (folder / "data").mkdir(parents=True)
        now = datetime.now(UTC)
        ca = open_ca(root / "keys", now)
        site = Site(at=PurePosixPath(folder), port=self.port, crl_url="https://unused")
        pem = ca.server_pem(["127.0.0.1", "localhost"], now).decode()
        end = pem.index("-----BEGIN CERTIFICATE")
        files = {
            "mosquitto.conf": configuration(site) + "user root\n",
            "acl": access_list(site),
            "ca.crt": ca.pem,
            "ca.crl": ca.revocation_list([], now, timedelta(days=7)),
            "server.key": pem[:end],
            "server.pem": pem[end:],
        }
        for name, text in files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        self._folder = folder

    def __enter__(self) -> Mosquitto:
        with (self._folder / "log").open("ab") as log:
            command = [str(PROGRAM), "-c", str(self._folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise SystemExit(f"Mosquitto did not start: {(self._folder / 'log').read_text()}")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


class Listener(asyncio.Protocol):
    """One device: CONNECT, SUBSCRIBE to its hint at QoS 0, and when a hint came. MQTT 3.1.1."""

    __slots__ = ("_buffer", "_hinted", "_name", "_ready", "_transport")

    def __init__(self, name: str, ready: asyncio.Future[None], hinted: dict[str, float]) -> None:
        self._name, self._ready, self._hinted = name, ready, hinted
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        variable = _text("MQTT") + bytes([4, 2]) + (3600).to_bytes(2, "big")
        self._transport.write(_packet(0x10, variable + _text(self._name)))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2 and len(self._buffer) >= 2 + self._buffer[1]:  # all are shorter than 128 bytes
            kind, length = self._buffer[0] & 0xF0, self._buffer[1]
            self._buffer = self._buffer[2 + length :]
            self._take(kind)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(ConnectionError(f"{self._name}: {exc}"))

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, kind: int) -> None:
        assert self._transport is not None
        if kind == 0x20:  # CONNACK
            self._transport.write(_packet(0x82, b"\x00\x01" + _text(topics.hint(self._name)) + b"\x00"))
        elif kind == 0x90 and not self._ready.done():  # SUBACK
            self._ready.set_result(None)
        elif kind == 0x30:  # PUBLISH
            self._hinted.setdefault(self._name, time.monotonic())


class Listeners:
    """All of them. `hinted` says when each heard its first hint since `forget`."""

    def __init__(self) -> None:
        self.hinted: dict[str, float] = {}
        self._all: list[Listener] = []

    async def connect(self, members: Sequence[Member], ca: str, port: int, folder: Path) -> None:
        """Connect every device with its own certificate; a few at a time, as a context holds one certificate."""
        waiting = iter(members)

        async def lane(number: int) -> None:
            tls = ssl.create_default_context(cadata=ca)
            path = folder / f"lane-{number}.pem"
            for member in waiting:
                path.write_text(member.pem())
                tls.load_cert_chain(path)
                await self._connect(member.name, tls, port)

        await asyncio.gather(*(lane(number) for number in range(_LANES)))

    async def all_hinted(self, count: int, limit: float) -> bool:
        """Wait until `count` devices were hinted; whether they were within `limit` seconds."""
        deadline = time.monotonic() + limit
        for _ in range(int(limit / 0.02)):
            if len(self.hinted) >= count or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        return len(self.hinted) >= count

    def close(self) -> None:
        """End all connections."""
        for one in self._all:
            one.close()

    async def _connect(self, name: str, tls: ssl.SSLContext, port: int) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        _, listener = await loop.create_connection(
            lambda: Listener(name, ready, self.hinted), "127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1"
        )
        await ready
        self._all.append(listener)


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body
