"""`run`: load the model, reproduce its golden set, then decide on every image that arrives until told to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.accounting import Ledger
from lineside.runtime.announce import announce, rfc3339
from lineside.runtime.capture import CaptureFolder, Chooser
from lineside.runtime.compare import comparer_of
from lineside.runtime.decider import Decider
from lineside.runtime.delivery import Delivery
from lineside.runtime.frames import Source
from lineside.runtime.golden import check_golden
from lineside.runtime.line import Desk, Line
from lineside.runtime.model import Model, load_folder
from lineside.runtime.settings import Settings, settings_of
from lineside.runtime.sinks import Sink
from lineside.runtime.sinks.jsonl import JsonlSink
from lineside.runtime.sinks.mqtt import MqttSink
from lineside.runtime.sources.making import kind_of, sources_of
from lineside.runtime.spool import Spool
from lineside.runtime.status import GoldenState, RuntimeState, SourceStatus, Status, process_born, sum_up, write_status

STOPPED, FAILED, MISMATCHED = 0, 2, 4
GOLDEN_FILE, SPOOL_FILE, RESULTS_FILE = "golden.zip", "spool.db", "results.jsonl"
_STATUS_EVERY = 0.5  # seconds


def run(model_folder: Path, work: Path, environment: Mapping[str, str]) -> int:
    """Runs until SIGTERM or SIGINT. Exit code 0 stopped, 2 cannot run, 4 the golden set is not reproduced."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work.mkdir(parents=True, exist_ok=True)
    pid = os.getpid()
    status = Status(pid=pid, pid_born=process_born(pid), started_at=rfc3339(time.time()))
    write_status(work, status)
    try:
        settings = settings_of(model_folder, work, environment)
        models = {name: _proven(name, folder, settings, status) for name, folder in settings.models.items()}
        _serve(settings, models, status, stop)
    except LinesideError as error:
        return _failed(work, status, error)
    announce("runtime.stopped", decided=status.decided)
    return STOPPED


def _proven(name: str, folder: Path, settings: Settings, status: Status) -> Model:
    """The model, once it has given the answers it must."""
    model = load_folder(folder, threads=settings.configuration.threads)
    if not status.model:
        status.model, status.version, status.model_digest = model.identity.name, model.identity.version, model.digest
    facts = {"version": model.identity.version, "digest": model.digest, "threads": model.threads}
    announce("model.loaded", name=name, model=model.identity.name, **facts)
    golden = folder / GOLDEN_FILE
    if not golden.exists():
        announce("golden.absent")
        return model
    outcome = check_golden(golden, model)
    if not outcome.matched:
        status.golden = GoldenState.MISMATCHED
        raise LinesideError("golden.mismatched", image=outcome.image, difference=outcome.difference)
    status.golden = GoldenState.MATCHED
    announce("golden.matched", cases=outcome.cases)
    return model


def _serve(settings: Settings, models: Mapping[str, Model], status: Status, stop: Event) -> None:
    spool = Spool(settings.work / SPOOL_FILE)
    if spool.recovered:
        announce("spool.recovered", next_sequence=spool.next_sequence)
    delivery = Delivery(spool, CaptureFolder(settings.captures) if settings.configuration.capture else None)
    sources = sources_of(settings, spool)
    ledger = Ledger(sources)
    running = _Running(settings, sources, _line(settings, models, sources, delivery, ledger), delivery, spool, status)
    delivery.start({"results": _sink(settings, delivery)})
    running.line.start()
    status.state = RuntimeState.READY
    running.refresh()
    write_status(settings.work, status)
    announce("runtime.ready", sources=",".join(sources), waiting=len(spool))
    try:
        _watch(running, stop)
    finally:
        running.line.stop()
        delivery.stop()
        running.refresh()
        write_status(settings.work, status)
        spool.close()


def _line(
    settings: Settings, models: Mapping[str, Model], sources: Mapping[str, Source], delivery: Delivery, ledger: Ledger
) -> Line:
    configuration = settings.configuration
    chooser, choosing = Chooser(configuration.capture) if configuration.capture else None, Lock()
    deadline = configuration.deadline_ms / 1000 if configuration.deadline_ms is not None else None
    desks = []
    for name, model in models.items():
        comparer = comparer_of(settings.models[name], model, configuration.compare_every)
        decider = Decider(
            model,
            settings.device,
            chooser=chooser,
            comparer=comparer,
            deadline=deadline,
            named=settings.named,
            choosing=choosing,
        )
        mine = [sources[source] for source, decides in settings.routes.items() if decides == name]
        desks.append(Desk(decider, mine, lanes=model.lanes))
    return Line(desks, delivery, ledger)


@dataclass(frozen=True, slots=True)
class _Running:
    """The parts of a running line."""

    settings: Settings
    sources: Mapping[str, Source]
    line: Line
    delivery: Delivery
    spool: Spool
    status: Status

    def refresh(self) -> None:
        """Brings the status up to date."""
        status = self.status
        status.sources = {
            name: SourceStatus(
                kind=kind_of(self.settings, name),
                model=self.settings.routes[name],
                health=source.health(),
                counts=self.line.ledger.of(name),
            )
            for name, source in self.sources.items()
        }
        sum_up(status)
        status.published, status.captured = self.delivery.counts.published, self.delivery.counts.captured
        status.dropped = self.spool.dropped


def _watch(running: _Running, stop: Event) -> None:
    """Writes the status while it changes, until `stop` or until a thread of ours breaks."""
    written = b""
    while not stop.wait(_STATUS_EVERY):
        for failure in (running.delivery.failure, running.line.failure):
            if failure is not None:
                raise failure
        running.refresh()
        if (now := msgspec.json.encode(running.status)) != written:
            write_status(running.settings.work, running.status)
            written = now


def _sink(settings: Settings, delivery: Delivery) -> Sink:
    if settings.mqtt is None:
        return JsonlSink(settings.work / RESULTS_FILE)
    return MqttSink(settings.mqtt, wake=delivery.wake)


def _failed(work: Path, status: Status, error: LinesideError) -> int:
    status.state, status.error = RuntimeState.FAILED, error.report()
    write_status(work, status)
    announce("runtime.failed", code=error.code, message=error.message, next=error.next)
    return MISMATCHED if status.golden is GoldenState.MISMATCHED else FAILED
