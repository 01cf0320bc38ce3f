"""Saying how things stand: a report whenever something changed, and now and then when nothing did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from lineside.agent.clock import now
from lineside.agent.facts import device_facts
from lineside.agent.link.outbox import Outbox
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.updating.state import State
from lineside.contract.errors import ErrorReport
from lineside.contract.reported import Phase, Report

HEARTBEAT = 300.0
"""Seconds after which a report is sent though nothing changed."""


class Reporter:
    """Queues reports, from any thread, and hands them over. `queued` is called when one waits."""

    def __init__(
        self,
        device: str,
        root: Path,
        state: State,
        outbox: Outbox,
        control: ControlPlane,
        supervisor: Supervisor,
        queued: Callable[[], None],
    ) -> None:
        self._device = device
        self._root = root
        self._state = state
        self._outbox = outbox
        self._control = control
        self._supervisor = supervisor
        self._queued = queued
        self._lock = threading.Lock()
        self._said: object = None
        self._said_at = float("-inf")

    def say(self, revision: int, phase: Phase, error: ErrorReport | None = None) -> None:
        """Queue a report if it says anything new."""
        with self._lock:
            running = self._supervisor.report()
            content = (revision, phase, error, running)
            if content == self._said and time.monotonic() - self._said_at <= HEARTBEAT:
                return
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
        self._queued()

    def flush(self) -> None:
        """Send what waits. Raises `LinkError`, `RemoteError`."""
        self._outbox.flush(self._control)
