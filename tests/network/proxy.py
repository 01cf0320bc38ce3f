"""A TCP proxy that treats connections as bad networks do. It runs in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.eventually import PATIENCE


@dataclass
class Weather:
    """What the network does now; it may be changed at any time, for connections that stand too.

    Seconds and bytes a second; `stall` is how often a piece is held up as if it had been lost and sent again; `cut` is
    how often a connection breaks in the middle.
    """

    latency: float = 0.0
    bandwidth: float = 0.0  # 0: no limit
    stall: float = 0.0  # probability for a piece
    stall_seconds: float = 0.3
    cut: float = 0.0  # probability for a piece: both sides get a reset
    half_open: float = 0.0  # probability for a connection: it is accepted, and then nothing comes back for ever
    freeze: float = 0.0  # probability for a piece: nothing comes through this connection any more, for ever
    deaf: float = 0.0  # probability for a connection: its end is not passed on
    refuse: bool = False  # nobody listens


@dataclass
class Proxy:
    """Between clients and 127.0.0.1:`target`; `seed` decides what happens to whom."""

    target: int
    seed: int = 0
    port: int = 0
    weather: Weather = field(default_factory=Weather)

    def __post_init__(self) -> None:
        self.counted = dict.fromkeys(("opened", "cut", "half open", "frozen", "stalled"), 0)
        self._random = random.Random(self.seed)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def drop_all(self) -> None:
        """Reset every connection that stands."""
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in list(self._tasks)])

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.counted["opened"] += 1
        upstream: asyncio.StreamWriter | None = None
        try:
            if self.weather.refuse:
                return
            if self._happens(self.weather.half_open):
                self.counted["half open"] += 1
                await asyncio.Event().wait()
            back, upstream = await asyncio.open_connection("127.0.0.1", self.target)
            deaf = self._happens(self.weather.deaf)
            await self._both(self._carry(reader, upstream, deaf), self._carry(back, writer, deaf))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for one in (writer, upstream):
                if one is not None:
                    _reset(one)

    async def _both(self, *ways: Any) -> None:
        """Until both directions have ended; one that breaks ends both."""
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: bool) -> None:
        while data := await reader.read(4096):
            weather = self.weather
            wait = weather.latency + (len(data) / weather.bandwidth if weather.bandwidth else 0.0)
            if self._happens(weather.stall):
                self.counted["stalled"] += 1
                wait += weather.stall_seconds
            if wait:
                await asyncio.sleep(wait)
            if self._happens(weather.cut):
                self.counted["cut"] += 1
                writer.write(data[: len(data) // 2])
                with contextlib.suppress(OSError):
                    await writer.drain()
                raise ConnectionResetError
            if self._happens(weather.freeze):
                self.counted["frozen"] += 1
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()
        if deaf:
            await asyncio.Event().wait()
        with contextlib.suppress(OSError):
            writer.write_eof()

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset rather than politely."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Cutter(Proxy):
    """Cuts the first `cuts` connections that carry more than `limit` bytes towards the target."""

    limit: int = 0
    cuts: int = 0

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: bool) -> None:
        sent = 0
        while data := await reader.read(65536):
            sent += len(data)
            if self.cuts and sent > self.limit:
                self.cuts -= 1
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
