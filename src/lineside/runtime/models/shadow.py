"""A candidate beside the model that decides: it looks at a sample of what was decided, and its word is never published.

Its thread waits behind all others for a core, takes a configured share of one on average, and has room for few frames:
what comes when it is busy or has used its share up goes without it. Where it disagrees, the picture may be kept.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

from lineside.contract.result import Result
from lineside.contract.shadow import ShadowState, ShadowStatus
from lineside.runtime.announce import announce
from lineside.runtime.compare import Agreement, agreement
from lineside.runtime.decode import Picture
from lineside.runtime.frames import Frame
from lineside.runtime.model import Model
from lineside.runtime.models.niceness import wait_behind_others
from lineside.runtime.models.settings import ShadowSettings

_AT_ONCE = 2  # frames that are held for it
_SAVED = 2.0  # seconds for which an unused share is saved up

Keep = Callable[[bytes | Picture, str, Result], bool]
"""Takes a picture, why it is worth keeping, and the decision; whether it was kept."""


class Share:
    """CPU time that a thread may take: `cpu` of one core on average, saved up for `_SAVED` seconds at most."""

    def __init__(self, cpu: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cpu, self._monotonic = cpu, monotonic
        self._left, self._at = 0.0, monotonic()

    def left(self) -> bool:
        """Whether there is any: one look may use more than there was, which is then waited for."""
        now = self._monotonic()
        self._left = min(self._cpu * _SAVED, self._left + (now - self._at) * self._cpu)
        self._at = now
        return self._left > 0

    def spent(self, seconds: float) -> None:
        self._left -= seconds


class _Task(NamedTuple):
    data: bytes | Picture
    threshold: float  # of the model that decided
    result: Result


class Shadow:
    """`turn` may be called from any thread; it never waits and never raises."""

    def __init__(
        self,
        settings: ShadowSettings,
        load: Callable[[], Model],
        keep: Keep | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`load` is called in the shadow's own thread, so that no decision waits for it; `keep` takes a picture on
        which the models disagree."""
        self._settings, self._load, self._keep, self._draw = settings, load, keep, draw
        self._share = Share(settings.cpu, monotonic)
        self._status = ShadowStatus()
        self._held = 0
        self._lock = threading.Lock()
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._guarded, name="shadow", daemon=True)

    @property
    def status(self) -> ShadowStatus:
        """How it is now."""
        with self._lock:
            return msgspec.structs.replace(self._status)

    def start(self) -> None:
        """Loads the candidate, and begins."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends after what it is looking at just now."""
        with self._lock:
            self._status.state = ShadowState.OFF
        self._tasks.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def turn(self, frame: Frame, threshold: float) -> Callable[[Result], None] | None:
        """For a frame that was decided from `threshold` on: None when it goes without the candidate; else what to call
        with its result, once that is on disk."""
        with self._lock:
            status = self._status
            if status.state is not ShadowState.LOOKING or self._draw() >= self._settings.share:
                return None
            status.sampled += 1
            if self._held >= _AT_ONCE or not self._share.left():
                status.passed += 1
                return None
            self._held += 1
        data = frame.data
        return lambda result: self._tasks.put(_Task(data, threshold, result))

    def _guarded(self) -> None:
        wait_behind_others()
        try:
            self._run(self._load())
        except Exception as error:  # noqa: BLE001 - whatever breaks a candidate, decisions go on
            announce("shadow.off", why=str(error))
            with self._lock:
                self._status.state, self._status.why = ShadowState.OFF, str(error)

    def _run(self, model: Model) -> None:
        known = model.identity
        with self._lock:
            status = self._status
            if status.state is ShadowState.LOADING:
                status.state = ShadowState.LOOKING
            status.model, status.version, status.digest = known.name, known.version, known.digest
        announce("shadow.loaded", model=known.name, version=known.version, digest=known.digest)
        while (task := self._tasks.get()) is not None:
            started = time.thread_time()
            try:
                self._look(model, task)
            except Exception as error:  # noqa: BLE001 - of one image
                self._count(failed=1)
                announce("shadow.failed", image=task.result.image, why=str(error))
            spent = time.thread_time() - started
            with self._lock:
                self._held -= 1
                self._share.spent(spent)
                self._status.cpu_seconds += spent

    def _look(self, model: Model, task: _Task) -> None:
        found = agreement(
            task.result.detections,
            model.detect(task.data),
            (task.threshold, model.signature.score_threshold),
        )
        # What decided is `agreement`'s new model here, and the candidate its previous one.
        kept = int(not found.agrees and self._kept(model, task, found))
        self._count(
            looked=1, agreed=int(found.agrees), only_new=found.only_previous, only_old=found.only_new, kept=kept
        )

    def _kept(self, model: Model, task: _Task, found: Agreement) -> bool:
        if self._keep is None:
            return False
        known = model.identity
        reason = (
            f"{known.name} {known.version}, in the shadow, finds {found.only_previous} that were not decided, "
            f"and not {found.only_new} that were."
        )
        return self._keep(task.data, reason, task.result)

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                setattr(self._status, name, getattr(self._status, name) + number)
