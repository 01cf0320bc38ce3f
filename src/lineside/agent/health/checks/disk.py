"""Is there room, can it be written, and how long does that take."""

from __future__ import annotations

import os
import time

from lineside.agent.health.checks.subject import Subject
from lineside.agent.health.disk import disk_now, disk_problem
from lineside.contract.inquiry import CheckResult

SLOW_SECONDS = 2.0


def check(subject: Subject) -> CheckResult:
    """Free space and inodes below the root, and a few bytes written, synced and removed."""
    root = subject.paths.root
    started = time.monotonic()
    try:
        problem = disk_now(root, writing=True)
    except OSError as error:
        problem = disk_problem(error, root)
        if problem is None:
            raise
    took = time.monotonic() - started
    if problem is not None:
        return CheckResult(name="disk", ok=False, sentence=problem.message, next=problem.next)
    found = os.statvfs(root)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    words = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB are free below {root}; a synced write took {took * 1e3:.0f} ms."
    if found.f_files and found.f_favail < 1000:
        step = "Remove small files that nothing needs."
        return CheckResult(name="disk", ok=False, sentence=f"Only {found.f_favail} inodes are free.", next=step)
    if took > SLOW_SECONDS:
        return CheckResult(name="disk", ok=False, sentence=words, next="Look at dmesg and smartctl: the disk is slow.")
    return CheckResult(name="disk", ok=True, sentence=words)
