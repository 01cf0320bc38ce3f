"""Saying how things stand: a report whenever something changed, and now and then when nothing did."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from lineside.agent.clock import now
from lineside.agent.facts import device_facts
from lineside.agent.link.error import LinkError
from lineside.agent.link.outbox import Outbox
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.updating.state import State
from lineside.contract.errors import ErrorReport, RemoteError
from lineside.contract.reported import Phase, Report

HEARTBEAT = 300.0
"""Seconds after which a report is sent though nothing changed."""

_log = logging.getLogger(__name__)


class Reporter:
    """Queues reports and hands them over."""

    def __init__(
        self, device: str, root: Path, state: State, outbox: Outbox, control: ControlPlane, supervisor: Supervisor
    ) -> None:
        self._device = device
        self._root = root
        self._state = state
        self._outbox = outbox
        self._control = control
        self._supervisor = supervisor
        self._said: object = None
        self._said_at = float("-inf")

    def say(self, revision: int, phase: Phase, error: ErrorReport | None = None) -> None:
        """Queue a report if it says anything new, and try to send what waits."""
        running = self._supervisor.report()
        content = (revision, phase, error, running)
        if content != self._said or time.monotonic() - self._said_at > HEARTBEAT:
            facts = device_facts(self._root) | {"transferred_bytes": self._state.transferred()}
            self._outbox.add(
                lambda sequence: Report(
                    device=self._device,
                    sequence=sequence,
                    at=now(),
                    revision=revision,
                    phase=phase,
                    running=running,
                    error=error,
                    facts=facts,
                )
            )
            self._said, self._said_at = content, time.monotonic()
        self._try(self.flush)

    def flush(self) -> None:
        """Send what waits. Raises `LinkError`, `RemoteError`."""
        self._outbox.flush(self._control)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (LinkError, RemoteError) as error:
            _log.info("reports wait: %s", error.message)
