"""Work of many requests that is done at once: whatever arrives while some is under way shares the next turn.

One commit costs one fsync whether it stores one report or a hundred. Nobody waits for others to come: alone, a request
has its turn at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 500
"""How many share one turn at most."""


class Together(Generic[T, R]):
    """`await together(item)` gives what `act` gives for the item.

    `act` runs in a thread of its own, one turn at a time; what it gives for each item, in their order, may be an
    exception, which is then raised.
    """

    def __init__(self, name: str, act: Callable[[Sequence[T]], Sequence[R | Exception]]) -> None:
        self._act = act
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._turns: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if self._turns is None:
            self._turns = loop.create_task(self._work(loop))
        return await future

    async def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                found = await loop.run_in_executor(self._thread, self._done, [item for item, _ in batch])
                for (_, future), result in zip(batch, found, strict=True):
                    if future.done():
                        continue  # who asked has gone
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        finally:
            self._turns = None

    def _done(self, items: Sequence[T]) -> Sequence[R | Exception]:
        """What `act` gives. When it fails as a whole, each item has a turn alone, so that one does not spoil others."""
        try:
            return self._act(items)
        except Exception as error:  # noqa: BLE001 raised where the item came from
            if len(items) == 1:
                return [error]
            return [self._done([item])[0] for item in items]
