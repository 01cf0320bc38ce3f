"""Saying how things stand: one small check-in whenever something changed, and now and then when nothing did.

A report tells everything: state, conditions, facts, usage, what components measured. What only varies (usage, most
facts) causes none; it goes along with the next, or with the heartbeat. Facts and labels by which devices are selected
cause one when they have changed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lineside.agent.bus.ports import Metric
from lineside.agent.clock import now
from lineside.agent.facts import OwnUsage, device_facts
from lineside.agent.health.conditions import Conditions
from lineside.agent.link.measurements import Measurements
from lineside.agent.link.outbox import Outbox, Priority
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.updating.state import State
from lineside.contract.errors import ErrorReport
from lineside.contract.facts import LABELS, selectable, suggested
from lineside.contract.reported import Phase, Report

HEARTBEAT = 300.0
"""Seconds after which a report is sent though nothing changed."""
LOOK = 60.0
"""Seconds after which it is looked whether facts have changed by which the device is selected."""
SAMPLES = 60.0
"""Seconds after which what components measured is sent."""


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
        conditions: Conditions | None = None,
    ) -> None:
        self._device = device
        self._root = root
        self._state = state
        self._outbox = outbox
        self._control = control
        self._supervisor = supervisor
        self._queued = queued
        self._conditions = conditions or Conditions()
        self._own = OwnUsage()
        self._measurements = Measurements()
        self._lock = threading.Lock()
        self._said: object = None
        self._alarmed: object = None
        self._said_at = float("-inf")
        self._selected_by: _Selected = ({}, {})
        self._looked_at = time.monotonic()

    def measured(self, component: str, metrics: Sequence[Metric]) -> None:
        """A component measured something; it goes along with a report within `SAMPLES` seconds."""
        self._measurements.add(component, metrics)

    def say(self, revision: int, phase: Phase, error: ErrorReport | None = None) -> None:
        """Queue a report if it says anything new."""
        with self._lock:
            conditions = self._conditions.current()
            content = (revision, phase, error, self._supervisor.report())
            alarms = tuple(one for one in conditions if _worth_a_report(one.code))
            priority = self._news(content, alarms)
            if priority is None:
                return
            running = self._supervisor.report(self._supervisor.usage())
            facts = self._facts()
            self._selected_by = _selected(facts, self._selected_by)
            self._outbox.add(
                lambda sequence: Report(
                    device=self._device,
                    sequence=sequence,
                    at=now(),
                    revision=revision,
                    phase=phase,
                    running=running,
                    error=error,
                    conditions=conditions,
                    facts=facts,
                ),
                priority,
            )
            self._said, self._alarmed, self._said_at = content, alarms, time.monotonic()
        self._queued()

    def flush(self) -> None:
        """Send what waits. Raises `LinkError`, `RemoteError`."""
        self._outbox.flush(self._control)

    def _news(self, content: object, alarms: object) -> Priority | None:
        age = time.monotonic() - self._said_at
        if content != self._said:
            return Priority.STATE
        if alarms != self._alarmed:
            return Priority.ALARM
        if age > HEARTBEAT or self._is_another():
            return Priority.TELEMETRY
        return Priority.SAMPLE if age > SAMPLES and len(self._measurements) else None

    def _is_another(self) -> bool:
        """Whether the device would be selected by something that it has not told."""
        if time.monotonic() - self._looked_at < LOOK:
            return False
        self._looked_at = time.monotonic()
        with contextlib.suppress(OSError):
            return _selected(device_facts(self._root), self._selected_by) != self._selected_by
        return False

    def _facts(self) -> dict[str, Any]:
        facts = self._own.facts() | self._measurements.take()
        with contextlib.suppress(OSError, sqlite3.Error):  # a report must be possible when the disk fails
            facts |= device_facts(self._root) | {"transferred_bytes": self._state.transferred()}
        return facts


_Selected = tuple[dict[str, str], dict[str, Any]]  # facts and labels


def _selected(facts: dict[str, Any], before: _Selected) -> _Selected:
    return selectable(facts, before[0]), suggested(facts) if LABELS in facts else before[1]


def _worth_a_report(code: str) -> bool:
    """That the control plane cannot be reached is no reason to write a report to it; it tells itself when it can."""
    return not code.startswith("link.") or code == "link.broker"
