"""`run`: load the model, reproduce its golden set, then decide on every image that arrives until told to stop."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from lineside.contract.errors import LinesideError
from lineside.contract.shapes import learn_shapes
from lineside.runtime.accounting import Ledger
from lineside.runtime.alarms import alarms_of
from lineside.runtime.announce import announce, rfc3339
from lineside.runtime.api.api import Api
from lineside.runtime.captures.captures import Captures
from lineside.runtime.delivery import Delivery
from lineside.runtime.drift.making import say_of, watch_of
from lineside.runtime.frames import Source
from lineside.runtime.line import Line
from lineside.runtime.live import Live
from lineside.runtime.models.following import Following
from lineside.runtime.models.library import Library
from lineside.runtime.models.shadow import Shadow
from lineside.runtime.patience import Stopped, patiently
from lineside.runtime.settings import Settings, settings_of
from lineside.runtime.sinks.making import sinks_of
from lineside.runtime.sources.making import asking, kind_of, sources_of
from lineside.runtime.spool import Spool
from lineside.runtime.status import (
    GoldenState,
    RuntimeState,
    SinkStatus,
    SourceStatus,
    Status,
    StatusFile,
    process_born,
    sum_up,
)
from lineside.runtime.telemetry import Meter, teller_of
from lineside.runtime.wiring import captures_of, following_of, line_of, shadow_of

STOPPED, FAILED, MISMATCHED = 0, 2, 4
SPOOL_FILE = "spool.db"
_STATUS_EVERY = 1.0  # seconds: each write is synced


def run(model_folder: Path, work: Path, environment: Mapping[str, str]) -> int:
    """Runs until SIGTERM or SIGINT. Exit code 0 stopped, 2 cannot run, 4 the golden set is not reproduced.
    Raises whatever else ends it; the status says that, too."""
    learn_shapes()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pid = os.getpid()
    status = Status(pid=pid, pid_born=process_born(pid), started_at=rfc3339(time.time()))
    file = StatusFile(work)
    try:
        patiently(stop, partial(work.mkdir, parents=True, exist_ok=True))
        file.write(status)
        settings = settings_of(model_folder, work, environment)
        library = _loaded(settings, status)
        _serve(settings, library, environment, status, file, stop)
    except LinesideError as error:
        return _failed(file, status, error)
    except Stopped:
        pass
    except Exception as error:
        status.error = LinesideError("runtime.broken", why=f"{type(error).__name__}: {error}").report()
        file.write(status)
        raise
    announce("runtime.stopped", decided=status.decided)
    return STOPPED


def _loaded(settings: Settings, status: Status) -> Library:
    """The models, once each has given the answers it must. The status is about the first."""
    configuration = settings.configuration
    library = Library(
        settings.models,
        memory_mb=configuration.memory_mb,
        threads=configuration.threads,
        soak_seconds=configuration.soak_seconds,
    )
    for name in settings.models:
        library.load(name)
    _name(status, library, settings)
    library.routed = frozenset(route.model for route in settings.routes.values())
    return library


def _name(status: Status, library: Library, settings: Settings) -> None:
    """Says in the status which model decides: of several, the first."""
    with suppress(LinesideError):  # it may have been unloaded, when no source needs it
        proven = library.slot(next(iter(settings.models))).proven
        identity = proven.model.identity
        status.model, status.version, status.model_digest = identity.name, identity.version, identity.digest
        status.golden = proven.golden


def _serve(
    settings: Settings,
    library: Library,
    environment: Mapping[str, str],
    status: Status,
    file: StatusFile,
    stop: Event,
) -> None:
    configuration = settings.configuration
    spool = patiently(stop, partial(Spool, settings.work / SPOOL_FILE))
    if spool.recovered:
        announce("spool.recovered", next_sequence=spool.next_sequence)
    drift = watch_of(settings, library)
    captures = patiently(stop, partial(captures_of, settings, environment, drift))
    delivery = Delivery(spool, captures)
    sources = sources_of(settings, spool)
    ledger, live = Ledger(sources), Live()
    meter = Meter(lambda: {name: ledger.of(name) for name in sources})
    shadow = shadow_of(settings, library, captures)
    watching = (live, drift) if drift else (live,)
    line = line_of(
        settings, library, sources, delivery, ledger, captures=captures, shadow=shadow, meter=meter, watching=watching
    )
    following = following_of(settings, library, line, environment)
    api = _api_of(settings, library, sources, live)
    running = _Running(
        settings, library, sources, line, delivery, spool, status, file, shadow, following, captures, api
    )
    asked_for = configuration.sinks, settings.mqtt, environment, settings.device, settings.work, delivery.wake
    sinks = patiently(stop, partial(sinks_of, *asked_for))
    patiently(stop, partial(delivery.start, sinks))
    teller = teller_of(meter, sinks, settings.device, environment.get("LINESIDE_COMPONENT", ""))
    line.start()
    for part in (api, teller, shadow, following):
        if part:
            part.start()
    if drift:
        drift.start(say_of(sinks))
    gc.freeze()  # what is there by now stays: no frame waits until all of it was looked through again
    gc.enable()
    status.state = RuntimeState.READY
    running.report()
    announce("runtime.ready", sources=",".join(sources), waiting=len(spool))
    try:
        _watch(running, stop)
    finally:
        running.stop((api, following, shadow), (drift, teller))


def _api_of(settings: Settings, library: Library, sources: Mapping[str, Source], live: Live) -> Api | None:
    """The local API, unless configuration takes it away."""
    wanted = settings.configuration.api
    return Api(wanted, library, settings.work, asking(settings, sources), live=live.picture) if wanted else None


class _Part(Protocol):
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Running:
    """The parts of a running line."""

    settings: Settings
    library: Library
    sources: Mapping[str, Source]
    line: Line
    delivery: Delivery
    spool: Spool
    status: Status
    file: StatusFile
    shadow: Shadow | None
    following: Following | None
    captures: Captures | None
    api: Api | None

    def report(self) -> None:
        """Writes the status as it is now."""
        self._refresh()
        self.file.write(self.status)

    def stop(self, before: Iterable[_Part | None], after: Iterable[_Part | None]) -> None:
        """Stops the line, and what is beside it: before it, or after its last decision."""
        for part in filter(None, before):
            part.stop()
        self.line.stop()
        for part in filter(None, after):
            part.stop()
        self.delivery.stop()
        self.report()
        if self.captures:
            self.captures.close()
        self.spool.close()
        self.library.close()

    def _refresh(self) -> None:
        status = self.status
        status.sources = {
            name: SourceStatus(
                kind=kind_of(self.settings, name),
                model=self.settings.routes[name].model,
                health=source.health(),
                counts=self.line.ledger.of(name),
            )
            for name, source in self.sources.items()
        }
        status.sinks = {name: SinkStatus(**asdict(state)) for name, state in self.delivery.sinks().items()}
        status.shadow = self.shadow.status if self.shadow else None
        status.swaps = self.following.status if self.following else {}
        _name(status, self.library, self.settings)
        sum_up(status)
        status.published, status.captured = self.delivery.counts.published, self.delivery.counts.captured
        status.captures = self.captures.status() if self.captures else None
        status.dropped = self.spool.dropped
        status.api = self.api.trouble if self.api else None
        status.alarms = alarms_of(status, time.time())


def _watch(running: _Running, stop: Event) -> None:
    """Writes the status while it changes, until `stop` or until a thread of ours breaks."""
    while not stop.wait(_STATUS_EVERY):
        for failure in (running.delivery.failure, running.line.failure):
            if failure is not None:
                raise failure
        running.report()


def _failed(file: StatusFile, status: Status, error: LinesideError) -> int:
    if error.code == "golden.mismatched":
        status.golden = GoldenState.MISMATCHED
    status.state, status.error = RuntimeState.FAILED, error.report()
    file.write(status)
    announce("runtime.failed", code=error.code, message=error.message, next=error.next)
    return MISMATCHED if status.golden is GoldenState.MISMATCHED else FAILED
