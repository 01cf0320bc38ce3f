"""Uploads: a request's body, which arrives in the event loop, handed piece by piece to code that writes in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lineside.contract.errors import LinesideError

_STALL = 60.0  # seconds without a byte
_AT_ONCE = 16
_threads = ThreadPoolExecutor(_AT_ONCE, "upload")  # of their own: slow senders must not hold up other requests

T = TypeVar("T")


async def received(body: AsyncIterator[bytes], write: Callable[[Iterator[bytes]], T]) -> T:
    """Run `write` in a thread on the pieces of `body` as they arrive; no more than one piece is in memory.

    Raises what `write` does, and `blob.stalled` through it when the sender falls silent.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, write, _pieces(body, loop))


def _pieces(body: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    while True:
        coming = asyncio.run_coroutine_threadsafe(_next(body), loop)
        try:
            piece = coming.result(_STALL)
        except TimeoutError as error:
            coming.cancel()
            raise LinesideError("blob.stalled", seconds=int(_STALL)) from error
        if piece is None:
            return
        yield piece


async def _next(body: AsyncIterator[bytes]) -> bytes | None:
    return await anext(body, None)
