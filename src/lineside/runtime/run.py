"""`run`: load the model, reproduce its golden set, then decide on every image that arrives until told to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from lineside.contract.errors import LinesideError
from lineside.runtime.announce import announce, rfc3339
from lineside.runtime.capture import CaptureFolder, Chooser
from lineside.runtime.compare import comparer_of
from lineside.runtime.decide import Decider
from lineside.runtime.delivery import Delivery
from lineside.runtime.golden import check_golden
from lineside.runtime.model import Model, load_folder
from lineside.runtime.settings import Settings, settings_of
from lineside.runtime.sinks import Sink
from lineside.runtime.sinks.jsonl import JsonlSink
from lineside.runtime.sinks.mqtt import MqttSink
from lineside.runtime.sources.folder import FolderSource
from lineside.runtime.spool import Spool
from lineside.runtime.status import GoldenState, RuntimeState, Status, process_born, write_status

STOPPED, FAILED, MISMATCHED = 0, 2, 4
GOLDEN_FILE, SPOOL_FILE, RESULTS_FILE = "golden.zip", "spool.db", "results.jsonl"
_STATUS_EVERY = 1.0  # seconds
_FORGET_EVERY = 600.0  # seconds between clean-ups of the memory of files that are gone


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
        model = _proven(settings, status)
        _serve(settings, model, status, stop)
    except LinesideError as error:
        return _failed(work, status, error)
    announce("runtime.stopped", decided=status.decided)
    return STOPPED


def _proven(settings: Settings, status: Status) -> Model:
    """The model, once it has given the answers it must."""
    model = load_folder(settings.model, threads=settings.configuration.threads)
    status.model, status.version, status.model_digest = model.identity.name, model.identity.version, model.digest
    announce("model.loaded", model=status.model, version=status.version, digest=model.digest, threads=model.threads)
    golden = settings.model / GOLDEN_FILE
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


def _serve(settings: Settings, model: Model, status: Status, stop: Event) -> None:
    comparer = comparer_of(settings.model, model, settings.configuration.compare_every)
    spool = Spool(settings.work / SPOOL_FILE)
    if spool.recovered:
        announce("spool.recovered", next_sequence=spool.next_sequence)
    capture = settings.configuration.capture
    delivery = Delivery(spool, CaptureFolder(settings.captures) if capture else None)
    delivery.start(_sink(settings, delivery))
    source = FolderSource(settings.inbox, spool.inputs())
    chooser = Chooser(capture) if capture else None
    decider = Decider(model, source, delivery, chooser, settings.device, status, comparer)
    status.state = RuntimeState.READY
    write_status(settings.work, status)
    announce("runtime.ready", inbox=settings.inbox, waiting=len(spool))
    try:
        _watch(_Line(settings, source, decider, delivery, spool, status), stop)
    finally:
        delivery.stop()
        _count(status, delivery, spool)
        write_status(settings.work, status)
        spool.close()


class _Line(NamedTuple):
    """The parts of a running line."""

    settings: Settings
    source: FolderSource
    decider: Decider
    delivery: Delivery
    spool: Spool
    status: Status


def _watch(line: _Line, stop: Event) -> None:
    written_at, written = time.monotonic(), _numbers(line.status)
    forget_at = time.monotonic() + _FORGET_EVERY
    while not stop.is_set():
        line.decider.step(stop)
        if line.delivery.failure is not None:
            raise line.delivery.failure
        _count(line.status, line.delivery, line.spool)
        if time.monotonic() - written_at >= _STATUS_EVERY and _numbers(line.status) != written:
            write_status(line.settings.work, line.status)
            written_at, written = time.monotonic(), _numbers(line.status)
        if time.monotonic() >= forget_at:
            line.spool.forget_inputs(line.source.gone())
            forget_at = time.monotonic() + _FORGET_EVERY
        if line.decider.idle:
            stop.wait(max(line.settings.configuration.source.interval, 4 * line.decider.look_seconds))


def _sink(settings: Settings, delivery: Delivery) -> Sink:
    if settings.mqtt is None:
        return JsonlSink(settings.work / RESULTS_FILE)
    return MqttSink(settings.mqtt, wake=delivery.wake)


def _count(status: Status, delivery: Delivery, spool: Spool) -> None:
    status.published, status.captured = delivery.counts.published, delivery.counts.captured
    status.dropped = spool.dropped


def _numbers(status: Status) -> tuple[Any, ...]:
    return status.seen, status.published, status.captured, status.dropped


def _failed(work: Path, status: Status, error: LinesideError) -> int:
    status.state, status.error = RuntimeState.FAILED, error.report()
    write_status(work, status)
    announce("runtime.failed", code=error.code, message=error.message, next=error.next)
    return MISMATCHED if status.golden is GoldenState.MISMATCHED else FAILED
