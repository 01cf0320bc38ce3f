"""The watch: has windows filled, judges each when it is over, and tells it to the control plane.

A window that cannot be sent waits on disk for an hour, with those beside it; older ones are dropped. A judgement
changes no decision: it is a reason to keep images, and somebody's to look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread

import msgspec

from lineside.contract import topics
from lineside.contract.drift import BASELINE_FILE, Baseline, DriftWindow
from lineside.contract.drift_causes import causes
from lineside.contract.drift_distance import Held, Usual
from lineside.contract.drift_judge import Judge
from lineside.contract.drift_usual import usual_of_tests
from lineside.contract.reading import UNREADABLE
from lineside.runtime.announce import announce
from lineside.runtime.decider import Verdict
from lineside.runtime.drift.keeping import Keeping
from lineside.runtime.drift.settings import DriftSettings
from lineside.runtime.drift.windows import Windows, decided_by
from lineside.runtime.frames import Frame
from lineside.runtime.model import ModelIdentity

WAITS = 3600.0
"""Seconds that a window waits for a broker."""
MOST_WAITING = 400
_LOOK = 1.0  # seconds between two looks at the clock
_KEEP = 60.0  # seconds of an open window that a power cut may take

Say = Callable[[str, bytes], bool]
"""Publishes to a topic, and answers whether it could."""


class DriftWatch:
    """`saw` hears of every decision; `drifting` may be asked from any thread."""

    def __init__(
        self,
        settings: DriftSettings,
        folder: Path,
        *,
        device: str,
        component: str = "",
        named: bool = False,
        folder_of: Callable[[ModelIdentity], Path | None] = lambda model: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`folder_of`: where the component of a model version lies; its baseline is there."""
        self._settings, self._device, self._named, self._now = settings, device, named, now
        self._folder_of, self._keeping = folder_of, Keeping(folder, now=now)
        self._windows = Windows(
            device, component, settings.every_minutes * 60, named=named, look_share=settings.look_share, now=now
        )
        self._judges: dict[tuple[str, ModelIdentity], Judge] = {}
        self._reasons: dict[tuple[str, ModelIdentity], str] = {}
        self._deciding: dict[str, ModelIdentity] = {}  # by source; windows of the model before end beside its own
        self._lock = Lock()
        self._waiting: list[DriftWindow] = []
        self._say: Say | None = None
        self._broken = False  # said once
        self._stop = Event()
        self._thread = Thread(target=self._run, name="drift", daemon=True)

    def saw(self, frame: Frame, verdict: Verdict) -> None:
        """A decision on a frame."""
        self._deciding[frame.source if self._named else ""] = verdict.answer.model.identity
        try:
            self._windows.saw(frame, verdict)
        except Exception as error:  # noqa: BLE001 no decision may end because of a statistic
            if not self._broken:
                self._broken = True
                announce("drift.failed", why=f"{type(error).__name__}: {error}")

    def drifting(self, source: str) -> str:
        """Why images of a source are worth keeping now: one sentence on what has been far from usual in its last
        windows; empty while nothing has."""
        source = source if self._named else ""
        model = self._deciding.get(source)
        with self._lock:
            return "" if model is None else self._reasons.get((source, model), "")

    def start(self, say: Say | None) -> None:
        """Goes on where the run before has ended. Without `say` windows are judged and told to nobody."""
        self._say = say
        self._keeping.clean()
        self._windows.go_on(self._keeping.windows("open"), lambda one: _seconds(one.began_at))
        self._waiting = self._keeping.windows("waiting")
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends; the open windows are kept for the next run."""
        self._stop.set()
        self._thread.join(timeout)

    def step(self) -> None:
        """Judges and tells the windows that are over. Raises OSError when that cannot be kept."""
        rule = {"k": self._settings.k, "n": self._settings.n}
        over = [msgspec.structs.replace(one, **rule) for one in self._windows.over()]
        for window in over:
            self._judge(window)
        if self._say is not None:
            self._tell(over)
        if over:
            self.keep()

    def keep(self) -> None:
        """Keeps the open windows for a restart. Raises OSError."""
        self._keeping.keep_windows("open", self._windows.open())

    def _run(self) -> None:
        kept = time.monotonic()
        while not self._stop.wait(_LOOK):
            try:
                self.step()
                if time.monotonic() - kept >= _KEEP:
                    kept = time.monotonic()
                    self.keep()
            except Exception as error:  # noqa: BLE001 no decision may end because of a statistic
                announce("drift.failed", why=f"{type(error).__name__}: {error}")
                self._stop.wait(_KEEP)
        try:
            self.step()
            self.keep()
        except OSError as error:
            announce("drift.failed", why=f"{type(error).__name__}: {error}")

    def _judge(self, window: DriftWindow) -> None:
        key = (window.source, decided_by(window))
        if key not in self._judges:
            held = Held(k=self._settings.k, n=self._settings.n)
            self._judges[key] = self._keeping.judge(*key, self._tests(key[1]), held)
        judge = self._judges[key]
        accepted = judge.after(window)
        reason = _reason(judge)
        with self._lock:
            before = self._reasons.get(key, "")
            self._reasons[key] = reason
        if bool(reason) != bool(before):
            announce("drift.raised" if reason else "drift.cleared", source=window.source, why=reason or before)
        self._keeping.keep_judge(*key, judge, accepted)

    def _tell(self, over: list[DriftWindow]) -> None:
        """Oldest first; a list that has changed is kept."""
        before = list(self._waiting)
        oldest = self._now() - WAITS
        waiting = [*before, *over][-MOST_WAITING:]
        while waiting and self._say is not None:
            first = waiting[0]
            old = _seconds(first.began_at) + first.seconds < oldest
            if not old and not self._say(topics.drift(self._device), msgspec.json.encode(first)):
                break
            waiting.pop(0)
        self._waiting = waiting
        if waiting != before:
            self._keeping.keep_windows("waiting", waiting)

    def _tests(self, model: ModelIdentity) -> Usual | None:
        folder = self._folder_of(model)
        if folder is None:
            return None
        try:
            baseline = msgspec.json.decode((folder / BASELINE_FILE).read_bytes(), type=Baseline)
        except OSError:
            return None  # it brought none
        except UNREADABLE as error:
            announce("drift.no_baseline", digest=model.digest, why=error)
            return None
        return usual_of_tests(baseline, model.digest)


def _reason(judge: Judge) -> str:
    sides = judge.held.sides
    if not sides:
        return ""
    named = ", ".join(f"{name} {'above' if side > 0 else 'below'}" for name, side in sorted(sides.items()))
    hint = next((f" {one.sentence}" for one in causes(judge.told, sides)), "")
    return f"In {judge.held.k} of {judge.held.n} windows: {named} what is usual.{hint}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
