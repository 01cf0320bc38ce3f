"""Wakes a loop of this process at once when there is something for it to do; elsewhere its next tick finds it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session


class Woken(asyncio.Event):
    """Set when somebody wakes the one who sleeps."""

    async def sleep(self, seconds: float) -> None:
        """Sleep so long, or until woken; a wake since the last sleep counts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait()
        self.clear()


class Wakes:
    """How each loop is woken, by its name."""

    def __init__(self) -> None:
        self._wake: dict[str, Callable[[], object]] = {}

    def listen(self, name: str) -> Woken:
        """From now on `name` can be woken; for the asyncio loop that runs."""
        here, woken = asyncio.get_running_loop(), Woken()
        self._wake[name] = lambda: here.call_soon_threadsafe(woken.set)
        return woken

    def wake(self, name: str) -> None:
        """Wake a loop, from any thread; nothing happens where it does not run."""
        wake = self._wake.get(name)
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # its asyncio loop has ended
                wake()

    def after_commit(self, session: Session, name: str) -> None:
        """Wake a loop when this transaction is committed."""
        event.listen(session, "after_commit", lambda _session: self.wake(name), once=True)
