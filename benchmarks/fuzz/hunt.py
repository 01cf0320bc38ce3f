"""One round of a hunt: so many mutants of a target, the first crasher made small and kept."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.fuzz.mutants import mutants
from benchmarks.fuzz.target import Target

CPU_SECONDS = 5.0
"""Of CPU that reading one document of at most `mutants.MOST_BYTES` bytes may take."""
MEMORY = 1 << 30
"""Bytes of memory that the process may have beyond what it began with."""
SHRINKING = 5.0
"""Seconds that making a crasher small may take; our own way, since hypothesis shrinks choices and these are many."""
ROUND = 200
"""Mutants a round: a target that is found wanting does not keep the others waiting."""


class TooSlow(Exception):
    """A reader did not come back in time."""


@dataclass
class Score:
    """What has come of a target so far."""

    executions: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    crashes: dict[str, Path] = field(default_factory=dict)


@dataclass
class _Seen:
    data: bytes = b""
    key: str = ""
    words: str = ""


def limit_memory() -> None:
    """Of this process, from now on."""
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (now + MEMORY, now + MEMORY))


def hunt(target: Target, score: Score, number: int, keep: Path, until: float, most: int = ROUND) -> None:
    """Read `most` mutants, fewer when `until` (time.monotonic()) comes; a crasher that is known is passed over."""
    seen = _Seen()
    read = _watched(target, score, seen, until)

    @seed(number)
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutants(target.examples, bytes_too=target.bytes_too))
    def one(data: bytes) -> None:
        read(data)

    began = time.process_time()
    try:
        one()
    except Exception:
        if not seen.key:  # not the reader's fault
            raise
        _make_small(read, seen)
        name = f"{target.name}-{hashlib.sha256(seen.data).hexdigest()[:12]}"
        keep.mkdir(parents=True, exist_ok=True)
        (keep / name).write_bytes(seen.data)
        (keep / f"{name}.txt").write_text(seen.words)
        score.crashes[seen.key] = keep / name
    score.seconds += time.process_time() - began


def _watched(target: Target, score: Score, seen: _Seen, until: float) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        began = time.process_time()
        if score.executions and not seen.key and time.monotonic() > until:  # each target is read once at least
            return
        score.executions += 1
        try:
            with _limited():
                target.read(data)
            if time.process_time() - began > CPU_SECONDS:
                raise TooSlow
        except Exception as error:
            key = _where(error)
            if key in score.crashes:
                return
            seen.data, seen.key, seen.words = data, key, "".join(traceback.format_exception(error))
            raise
        finally:
            score.slowest = max(score.slowest, time.process_time() - began)

    return read


def _make_small(read: Callable[[bytes], None], seen: _Seen) -> None:
    """Leave out what the crash does not need, in halves, quarters and so on; `read` remembers what crashes the same."""
    until = time.monotonic() + SHRINKING
    piece = len(seen.data) // 2
    while piece and time.monotonic() < until:
        at = 0
        while at < len(seen.data) and time.monotonic() < until:
            before, key, words = seen.data, seen.key, seen.words
            with contextlib.suppress(Exception):
                read(before[:at] + before[at + piece :])
            if seen.key != key:  # another mistake: it will be met again
                seen.data, seen.key, seen.words = before, key, words
            at += piece if len(seen.data) == len(before) else 0
        piece //= 2


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise `TooSlow` in whatever runs after `CPU_SECONDS` of CPU."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def _where(error: BaseException) -> str:
    """What makes two crashes the same: the kind of error, and the innermost line of ours."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/lineside/" in frame.filename]
    last = f"{ours[-1].filename.rpartition('/lineside/')[2]}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__} {last}"
