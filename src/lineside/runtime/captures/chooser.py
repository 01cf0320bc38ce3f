"""The chooser: strategies in order, the first that wants an image and has budget left keeps it.

The random sample comes first, with a budget of its own, and is never left out because an image looks like another: so
it stays unbiased, whatever else is kept. Then what was asked for, then the rest as configured.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from lineside.runtime.captures import counts
from lineside.runtime.captures.budgets import HOUR, Budget
from lineside.runtime.captures.likeness import Album, facts_of, found_of, look_of
from lineside.runtime.captures.memory import Kept, Memory, Writing
from lineside.runtime.captures.passed import Passed
from lineside.runtime.captures.requests import Request, Requests
from lineside.runtime.captures.settings import (
    CaptureSettings,
    ClassSettings,
    DisagreementSettings,
    DriftSettings,
    IntervalSettings,
    NothingSettings,
    RandomSettings,
    RequestedSettings,
    StrategySettings,
    UncertainSettings,
)
from lineside.runtime.captures.strategies import (
    Drifting,
    Interval,
    Nothing,
    OfClass,
    Random,
    Seen,
    Strategy,
    Uncertain,
)
from lineside.runtime.captures.surest import Surest

_RANDOM_SHARE = 0.25  # of the hourly budget
_NO_LIMIT: dict[int, float] = {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A decision to keep an image. `digest` is of what was looked at, `id` will be the capture's."""

    strategy: str
    reason: str
    digest: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    source: str = ""
    request: str = ""
    found: str = ""
    look: bytes = b""
    similar_to: str = ""  # of the random sample alone: id of a capture that looks nearly the same

    @property
    def facts(self) -> dict[str, float]:
        """About the image."""
        return facts_of(self.look)


@dataclass(frozen=True, slots=True)
class _Rank:
    """One place in the order."""

    name: str  # its budget's
    kind: str
    budget: Budget
    strategy: Strategy | None = None  # None: requests, or the shadow, which decides later
    surest: Surest = field(default_factory=Surest)


class Chooser:
    """Decides from any thread, without touching an image's file."""

    def __init__(
        self,
        settings: CaptureSettings,
        memory: Memory | None = None,
        requests: Requests | None = None,
        *,
        tally: counts.Tally | None = None,
        passed: Passed | None = None,
        drifting: Callable[[str], str] = lambda source: "",
        shadow_per_hour: float = 0.0,
    ) -> None:
        """`shadow_per_hour`: budget of disagreements with the shadow, where the strategies name none."""
        self._memory = memory or Memory(None)
        self._passed = passed or Passed(self._memory.mark)
        self._tally = tally or counts.Tally()
        self._requests, self._drifting = requests, drifting
        self._shadow_per_hour = shadow_per_hour
        self._lock = Lock()
        self._rest = self._budget("rest", {HOUR: settings.per_hour * (1 - _RANDOM_SHARE)})
        self._ranks = [self._rank(place, one, settings) for place, one in enumerate(_order(settings))]
        self._ranks.insert(1, _Rank("random request", "random", self._budget("random request", _NO_LIMIT)))
        self._known = {one.digest: None for one in self._memory.kept()}
        self._most = settings.similar.most if settings.similar else 1000
        self._album: Album | None = None
        if settings.similar:
            hours = settings.similar.hours
            self._album = Album(settings.similar.levels, hours * HOUR, self._most, self._memory.kept())
        self.lowest_score = min((_lowest(one) for one in _order(settings)), default=1.0)
        """The lowest confidence that the choice depends on; 1 when on none."""

    def choose(self, seen: Seen) -> Wanted | None:
        """Whether to keep this image, under which strategy and why."""
        with self._lock:
            for rank in self._ranks:
                if rank.strategy:
                    rank.strategy.saw(seen)
            for rank in self._ranks:
                request, reason = self._asked(rank, seen)
                if not reason:
                    continue
                wanted, further = self._weigh(rank, seen, reason, request)
                if wanted or not further:
                    return wanted
        return None

    def offer(self, kind: str, seen: Seen, reason: str) -> Wanted | None:
        """The same for an image that somebody else has found worth keeping: `shadow`."""
        with self._lock:
            for rank in self._ranks:
                if rank.kind == kind:
                    return self._weigh(rank, seen, reason, None)[0]
        return None

    def kept(self, wanted: Wanted) -> None:
        """An image is in the store."""
        kept = Kept(wanted.digest, wanted.id, self._passed(), wanted.found, wanted.look)
        self._memory.keep(kept, wanted.request, self._most)
        self._tally.kept(wanted.strategy)

    def dropped(self, wanted: Wanted, reason: str, why: str) -> None:
        """An image could not be stored: it counts for no request, and may come again."""
        with self._lock:
            self._known.pop(wanted.digest, None)
            if self._album:
                self._album.forget(wanted.digest)
            if self._requests and wanted.request:
                self._requests.count(wanted.request, -1)
                self._requests.refuse(wanted.request, reason)
        self._memory.drop(wanted.digest)
        self._tally.refused(wanted.strategy, reason, why)

    def _asked(self, rank: _Rank, seen: Seen) -> tuple[Request | None, str]:
        if rank.strategy:
            return None, rank.strategy.judge(seen)
        if self._requests is None or rank.kind == "shadow":
            return None, ""
        return self._requests.match(seen, rank.kind) or (None, "")

    def _weigh(self, rank: _Rank, seen: Seen, reason: str, request: Request | None) -> tuple[Wanted | None, bool]:
        """The decision to keep it, else whether the next strategies may still want it."""
        self._tally.wanted(rank.kind)
        if seen.digest in self._known:
            self._refuse(rank, request, counts.SAME, "The same image was kept before.")
            return None, False
        if short := rank.budget.short_of():
            self._refuse(rank, request, counts.OVER_BUDGET, f"The budget of {rank.kind} is used up: {short}.")
            return None, True
        look = look_of(seen.picture) if seen.picture else b""
        found = found_of(seen.published)
        like = self._album.like(look, found, self._passed()) if self._album and look else None
        if like and rank.kind != "random":
            self._refuse(rank, request, counts.SIMILAR, f"It looks like capture {like.id}, of today.")
            return None, False
        if short := self._surer_wanted(rank, seen):
            self._refuse(rank, request, counts.OVER_BUDGET, f"The budget of {rank.kind} is short: {short}.")
            return None, True
        rank.budget.take()
        wanted = Wanted(
            rank.kind,
            reason,
            seen.digest,
            source=seen.source,
            request=request.id if request else "",
            found=found,
            look=look,
            similar_to=like.id if like else "",
        )
        self._remember(wanted)
        return wanted, False

    def _surer_wanted(self, rank: _Rank, seen: Seen) -> str:
        sureness = rank.strategy.sureness(seen) if rank.strategy else None
        return "" if sureness is None else rank.surest.short_of(sureness, rank.budget.share_left())

    def _refuse(self, rank: _Rank, request: Request | None, reason: str, why: str) -> None:
        self._tally.refused(rank.kind, reason, why)
        if request and self._requests:
            self._requests.refuse(request.id, reason)

    def _remember(self, wanted: Wanted) -> None:
        now = self._passed()
        self._known[wanted.digest] = None
        if self._requests and wanted.request:
            self._requests.count(wanted.request, 1)
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        if self._album:
            self._album.add(Kept(wanted.digest, wanted.id, now, wanted.found, wanted.look))
        budgets = {rank.name: rank.budget.saved() for rank in self._ranks}
        writing = Writing(wanted.digest, wanted.id, wanted.strategy, wanted.request, now)
        self._memory.choose(writing, self._passed.mark(), budgets)

    # --- the order --------------------------------------------------------------------------------------------------

    def _budget(self, name: str, limits: dict[int, float]) -> Budget:
        return Budget(limits, self._passed, self._memory.budget(name), empty=self._memory.lost)

    def _rank(self, place: int, one: StrategySettings, settings: CaptureSettings) -> _Rank:
        kind = _kind(one)
        earlier = sum(_kind(other) == kind for other in _order(settings)[:place])
        name = f"{kind}.{earlier + 1}" if earlier else kind
        limits = Budget.of(one)
        if limits:
            return _Rank(name, kind, self._budget(name, limits), self._strategy(one))
        match one:
            case RandomSettings():
                budget = self._budget(name, {HOUR: settings.per_hour * _RANDOM_SHARE})
            case RequestedSettings():
                budget = self._budget(name, _NO_LIMIT)
            case DisagreementSettings():
                budget = self._budget(name, {HOUR: self._shadow_per_hour})
            case _:
                name, budget = "rest", self._rest
        return _Rank(name, kind, budget, self._strategy(one))

    def _strategy(self, one: StrategySettings) -> Strategy | None:
        match one:
            case RandomSettings():
                return Random(one)
            case UncertainSettings():
                return Uncertain(one)
            case NothingSettings():
                return Nothing(one)
            case ClassSettings():
                return OfClass(one)
            case DriftSettings():
                return Drifting(one, self._drifting)
            case IntervalSettings():
                return Interval(one, self._passed)
            case RequestedSettings() | DisagreementSettings():
                return None


def _order(settings: CaptureSettings) -> tuple[StrategySettings, ...]:
    """All strategies in their order; the sample and requests are always among them."""
    band = (UncertainSettings(band=settings.uncertain),) if settings.uncertain else ()
    usual: tuple[StrategySettings, ...] = (DriftSettings(), NothingSettings(), *band)
    listed = usual if settings.strategies is None else settings.strategies
    sample = tuple(one for one in listed if isinstance(one, RandomSettings)) or (RandomSettings(share=settings.random),)
    rest = tuple(one for one in listed if not isinstance(one, RandomSettings))
    kinds = {type(one) for one in rest}
    asked = () if RequestedSettings in kinds else (RequestedSettings(),)
    shadow = () if DisagreementSettings in kinds else (DisagreementSettings(),)
    return (*sample, *asked, *rest, *shadow)


def _kind(one: StrategySettings) -> str:
    return str(one.__struct_config__.tag)


def _lowest(one: StrategySettings) -> float:
    match one:
        case UncertainSettings():
            return one.band[0]
        case ClassSettings():
            return 1.0 if one.above is None else one.above
        case _:
            return 1.0
