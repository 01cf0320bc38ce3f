"""Windows as they fill: one a source and a model, begun and ended by the clock, so that those of all devices begin
together and a restart goes on with the one that was open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Lock

from lineside.contract.drift import DriftWindow, few
from lineside.runtime.announce import rfc3339
from lineside.runtime.decider import Verdict
from lineside.runtime.drift.gathering import Gathered
from lineside.runtime.drift.looking import Allowance, look
from lineside.runtime.frames import Frame
from lineside.runtime.model import ModelIdentity


class _Open:
    def __init__(self, identity: ModelIdentity, source: str, began: float, gathered: Gathered) -> None:
        self.identity, self.source, self.began, self.gathered = identity, source, began, gathered
        self.until = began  # the last frame


def decided_by(window: DriftWindow) -> ModelIdentity:
    """The model version and its file; two versions may be one file with another threshold."""
    return ModelIdentity(name=window.model, version=window.version, digest=window.digest)


class Windows:
    """`saw` is called with every decision, from any thread; what it costs is a small share of one."""

    def __init__(
        self,
        device: str,
        component: str,
        seconds: float,
        *,
        named: bool = False,
        look_share: float = Allowance.SHARE,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`named`: windows say which source they are of; `look_share`: of the time of decisions, for looks."""
        self._device, self._component, self._seconds, self._named = device, component, seconds, named
        self._now, self._began = now, now()
        self._lock = Lock()
        self._open: dict[tuple[str, ModelIdentity], _Open] = {}
        self._over: list[DriftWindow] = []
        self._allowance = Allowance(look_share)

    def saw(self, frame: Frame, verdict: Verdict) -> None:
        """A decision on a frame."""
        inference, identity = verdict.answer.inference, verdict.answer.model.identity
        picture = inference.picture
        source, moment = frame.source if self._named else "", self._now()
        with self._lock:
            open_ = self._of(source, identity, moment)
            open_.until = max(open_.until, moment)
            open_.gathered.answered(verdict.published, picture.width, picture.height)
            open_.gathered.took(inference.latency_ms)
            if self._allowance.earns(inference.latency_ms):
                started = time.thread_time()
                open_.gathered.saw(look(picture))
                self._allowance.spent((time.thread_time() - started) * 1e3)

    def over(self) -> list[DriftWindow]:
        """The windows that have ended since the call before."""
        with self._lock:
            slot = self._slot(self._now())
            for key in [key for key, one in self._open.items() if self._slot(one.began) != slot]:
                self._end(key)
            over, self._over = self._over, []
        return over

    def open(self) -> list[DriftWindow]:
        """The windows as far as they are filled, to be gone on with after a restart."""
        with self._lock:
            return [self._window(one) for one in self._open.values()]

    def go_on(self, windows: Iterable[DriftWindow], began: Callable[[DriftWindow], float]) -> None:
        """Takes up what was open before a restart; what has ended meanwhile is over."""
        with self._lock:
            for one in windows:
                gathered = Gathered.of(one.sketches, one.classes, one.frames, one.looked)
                identity = decided_by(one)
                self._open[one.source, identity] = open_ = _Open(identity, one.source, began(one), gathered)
                open_.until = open_.began + one.seconds

    def _of(self, source: str, identity: ModelIdentity, moment: float) -> _Open:
        key = (source, identity)
        if key in self._open and self._slot(self._open[key].began) != self._slot(moment):
            self._end(key)
        if key not in self._open:
            began = max(self._slot(moment) * self._seconds, min(self._began, moment))
            self._open[key] = _Open(identity, source, began, Gathered())
        return self._open[key]

    def _end(self, key: tuple[str, ModelIdentity]) -> None:
        self._over.append(self._window(self._open.pop(key)))

    def _window(self, one: _Open) -> DriftWindow:
        ends = (self._slot(one.began) + 1) * self._seconds
        until = ends if self._now() >= ends else max(one.until, one.began + 1e-3)
        return DriftWindow(
            device=self._device,
            component=self._component,
            source=one.source,
            model=one.identity.name,
            version=one.identity.version,
            digest=one.identity.digest,
            began_at=rfc3339(one.began),
            seconds=round(until - one.began, 3),
            frames=one.gathered.frames,
            looked=one.gathered.looked,
            sketches=one.gathered.sketches(),
            classes=few(one.gathered.classes),
        )

    def _slot(self, moment: float) -> int:
        return int(moment // self._seconds)
