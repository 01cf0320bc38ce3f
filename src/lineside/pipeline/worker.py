"""The worker: claims runs of a queue, does each in a process of its own, and says every second that it lives.

It keeps at most `slots` runs at work. What ends without a last word was killed, and is claimed again.
"""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import socket
import threading
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec

from lineside.contract.errors import Kind, LinesideError
from lineside.contract.run import Run, RunState
from lineside.contract.run_order import BUILT_IN
from lineside.contract.worker import COMMANDS, Beat, Claim, Held, Leave
from lineside.pipeline.code import code_version
from lineside.pipeline.control import Control, is_away
from lineside.pipeline.entry import DONE, NOT_MINE, Entry, Job, begin, folder_of
from lineside.pipeline.kept import EVERY
from lineside.pipeline.sessions import kill_marked, kill_run, kill_session

_IDLE = 0.5  # seconds between two questions for work
_BEAT = 1.0  # seconds between two signs of life while something is at work; how soon a run that was stopped ends
_IDLE_BEAT = 5.0
_AFTER_ERROR = 5.0
_logger = logging.getLogger(__name__)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker does: runs of a queue, so many at once; people's own commands only when it was told it may.

    `name` stays the same over restarts: runs are handed back to it by that name, even when its folder was lost.
    """

    name: str
    queue: str = "default"
    slots: int = 1
    threads: int = 1
    commands: bool = False
    keep_seconds: float = EVERY

    @property
    def steps(self) -> tuple[str, ...]:
        """The kinds of steps it knows."""
        known = dict.fromkeys(step for steps in BUILT_IN.values() for step in steps)
        return (*known, COMMANDS) if self.commands else tuple(known)


class Worker:
    """One worker over one folder; whoever makes it holds the folder's lock."""

    def __init__(self, control: Control, entry: Entry, root: Path, offer: Offer, stop: threading.Event) -> None:
        self._control, self._entry, self._root, self._offer, self._stop = control, entry, root, offer, stop
        self._at_work: dict[str, tuple[BaseProcess, int]] = {}
        self._lost: set[tuple[str, int]] = set()
        self._guard = threading.Lock()
        self._telling = threading.Lock()
        self._clean = False
        self._processes = multiprocessing.get_context("forkserver")
        self._version = code_version()

    def run(self) -> None:
        """Work until told to stop. What a crash interrupted goes on first: the control plane hands it back."""
        self._processes.set_forkserver_preload(["lineside.pipeline.warm"])
        forkserver.ensure_running()
        threading.Thread(target=self._beat_often, name="beats", daemon=True).start()
        kill_marked(self._root / "runs")
        while not self._stop.is_set():
            self._reap()
            try:
                if not self._clean:
                    self._remove_lost()
                if len(self._at_work) < self._offer.slots and self._take():
                    continue
                self._stop.wait(_IDLE)
            except LinesideError as error:
                _logger.error("%s %s", error, error.next)
                self._stop.wait(_IDLE if is_away(error) else _AFTER_ERROR)

    def end(self) -> None:
        """End everything that is at work, at once, and give it back: another worker, or the next one here, goes on with
        it, and no attempt is spent."""
        self._stop.set()
        with self._guard:
            held = tuple(Held(run, found[1]) for run, found in self._at_work.items() if found[0].is_alive())
            for run, (process, _) in self._at_work.items():
                kill_run(process, folder_of(self._root, run))
        self._give_back(held)

    def _give_back(self, held: tuple[Held, ...]) -> None:
        if not held:
            return
        with self._telling:  # a sign of life that is on its way would keep them
            try:
                self._control.leave(Leave(worker=self._offer.name, holding=held))
            except LinesideError as error:
                _logger.warning("runs were not given back: %s", error.message)

    def _remove_lost(self) -> None:
        """Folders of runs that have ended, or are another's, since this machine lost its power."""
        for folder in sorted((self._root / "runs").glob("*")):
            if not self._is_mine(folder.name):
                _logger.info("run %s is not this worker's any more: its folder goes", folder.name)
                shutil.rmtree(folder, ignore_errors=True)
        self._clean = True

    def _is_mine(self, run: str) -> bool:
        try:
            known = self._control.run(run)
        except LinesideError as error:
            if error.kind is not Kind.MISSING:
                raise
            return False
        return known.state is RunState.RUNNING and known.worker == self._offer.name

    def _take(self) -> bool:
        claim = Claim(
            worker=self._offer.name, queue=self._offer.queue, steps=self._offer.steps, holding=self._holding()
        )
        run = self._control.claim_run(claim)
        if run is None:
            return False
        self._begin(run)
        return True

    def _begin(self, run: Run) -> None:
        _logger.info("run %s begins, attempt %d", run.id, run.attempt)
        job = Job(
            run=run.id,
            attempt=run.attempt,
            worker=self._offer.name,
            root=str(self._root),
            threads=self._offer.threads,
            commands=self._offer.commands,
            keep_seconds=self._offer.keep_seconds,
            entry=self._entry,
        )
        process = self._processes.Process(target=begin, args=(job,), name=run.id)
        with self._guard:
            ending = self._stop.is_set()
            if not ending:
                process.start()
                self._at_work[run.id] = (process, run.attempt)
        if ending:
            self._give_back((Held(run.id, run.attempt),))

    def _reap(self) -> None:
        """Look after the processes that have ended."""
        with self._guard:
            ended = {run: found for run, found in self._at_work.items() if not found[0].is_alive()}
            for run in ended:
                del self._at_work[run]
        for run, (process, attempt) in ended.items():
            kill_session(process.pid)
            kill_marked(folder_of(self._root, run))
            if process.exitcode in (DONE, NOT_MINE) or (run, attempt) in self._lost:
                shutil.rmtree(folder_of(self._root, run), ignore_errors=True)
            else:
                _logger.warning("the process of run %s ended with status %s", run, process.exitcode)
            self._lost.discard((run, attempt))
            process.close()

    def _beat_often(self) -> None:
        away = False
        while not self._stop.wait(_BEAT if self._at_work or away else _IDLE_BEAT):
            try:
                self._beat()
                away = False
            except LinesideError as error:
                if not away:
                    _logger.warning("no sign of life was taken: %s", error.message)
                away = True
            except Exception:  # the boundary: without beats every run at work would be lost
                _logger.exception("a sign of life broke")
                away = True

    def _beat(self) -> None:
        with self._telling:
            if not self._stop.is_set():
                self._tell()

    def _tell(self) -> None:
        holding = self._holding()
        beat = Beat(
            worker=self._offer.name,
            queue=self._offer.queue,
            slots=self._offer.slots,
            version=self._version,
            host=socket.gethostname(),
            steps=self._offer.steps,
            holding=holding,
        )
        attempts = {held.run: held.attempt for held in holding}
        for run in self._control.beat(beat).lost:
            self._let_go(run, attempts.get(run))

    def _let_go(self, run: str, attempt: int | None) -> None:
        """Somebody else has this attempt's run, or a person stopped it; a late answer ends no newer attempt."""
        with self._guard:
            found = self._at_work.get(run)
            if found is None or found[1] != attempt or not found[0].is_alive():
                return
            _logger.info("run %s is let go of, attempt %d", run, found[1])
            self._lost.add((run, found[1]))
            kill_run(found[0], folder_of(self._root, run))

    def _holding(self) -> tuple[Held, ...]:
        with self._guard:
            return tuple(Held(run, attempt) for run, (_, attempt) in self._at_work.items())
