"""The diagnostic checks, one file each: `check(subject)` looks, changes nothing that lasts, and says what to do next.

A new check is a new file and a row in `CHECKS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from lineside.agent.health.checks import (
    broker,
    certificate,
    clock,
    components,
    disk,
    memory,
    network,
    outbox,
    temperature,
)
from lineside.agent.health.checks.subject import Subject
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import CheckResult

CHECKS: tuple[tuple[str, Callable[[Subject], CheckResult]], ...] = (
    ("disk", disk.check),
    ("memory", memory.check),
    ("temperature", temperature.check),
    ("clock", clock.check),
    ("certificate", certificate.check),
    ("network", network.check),
    ("broker", broker.check),
    ("outbox", outbox.check),
    ("components", components.check),
)


def diagnose(subject: Subject) -> Iterator[CheckResult]:
    """Every check, each as it is done. One that cannot even look has failed."""
    for name, check in CHECKS:
        try:
            yield check(subject)
        except LinesideError as error:
            yield CheckResult(name=name, ok=False, sentence=error.message, next=error.next)
        except (OSError, sqlite3.Error) as error:
            step = "Look at dmesg; then: lineside agent status"
            yield CheckResult(name=name, ok=False, sentence=f"It cannot be looked at: {error}.", next=step)
