"""Asking the components that run, before any of them is touched: would you take this, and may I stop you now?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from lineside.agent.attention import Attention
from lineside.agent.bus.ports import Listeners
from lineside.agent.updating.steps import Notify, Validate
from lineside.contract.errors import LinesideError

LONGEST = 300.0
"""Seconds between two questions at most, however long a component puts an update off."""


class Nobody:
    """Listeners when there is no bus."""

    def listens(self, component: str) -> bool:
        """Nobody does."""
        return False

    def configuration_changed(self, component: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Nobody hears it."""

    def validate(
        self,
        deployment: str,
        configurations: dict[str, dict[str, Any]],
        timeout: float,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, str]:
        """Nobody objects."""
        return {}

    def ask_to_update(
        self,
        deployment: str,
        components: Sequence[str],
        *,
        restarting: bool,
        timeout: float = 60.0,
        cancelled: Callable[[], bool] | None = None,
    ) -> float:
        """Nobody puts it off."""
        return 0.0

    def updated(self, deployment: str) -> None:
        """Nobody hears it."""

    def environment(self, component: str, user: int | None = None) -> dict[str, str]:
        """No bus, no variables."""
        return {}


class Questions:
    """Asks on behalf of one update thread, and remembers for which document it has."""

    def __init__(self, listeners: Listeners, attention: Attention) -> None:
        self._listeners = listeners
        self._attention = attention
        self._document = ""
        self._asked: frozenset[str] = frozenset()

    def asked(self, document: str) -> frozenset[str]:
        """Which questions were answered with yes for this document: names of steps."""
        return self._asked if document == self._document else frozenset()

    def validate(self, step: Validate) -> None:
        """Raises `deploy.configuration_refused`, `Interrupted`, `Superseded`."""
        refusals = self._listeners.validate(
            step.deployment, step.configurations, step.seconds, self._attention.off.is_set
        )
        self._attention.check()
        if refusals:
            name, why = sorted(refusals.items())[0]
            raise LinesideError("deploy.configuration_refused", name=name, why=why or "it gave no reason")
        self._remember(step.wanted.document, "Validate")

    def notify(self, step: Notify) -> None:
        """Tell, and wait while somebody puts it off; after the policy's time it goes on all the same.

        Raises `Interrupted`, `Superseded`.
        """
        until = time.monotonic() + step.seconds
        while (left := until - time.monotonic()) > 0:
            delay = self._listeners.ask_to_update(
                step.deployment, step.names, restarting=False, timeout=left, cancelled=self._attention.off.is_set
            )
            self._attention.check()
            if delay <= 0:
                break
            self._wait(min(delay, until - time.monotonic(), LONGEST))
        self._remember(step.document, "Notify")

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._attention.clear()
            self._attention.wait(left)

    def _remember(self, document: str, question: str) -> None:
        self._asked = self.asked(document) | {question}
        self._document = document
