"""One device of the power cut benchmark: it lives, is killed, loses what was not synced, and lives again."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tests.agent.agents import AgentProcess
from tests.agent.disk.loss import Disk
from tests.agent.disk.zygote import Zygote

from benchmarks.powercut_fleet import BAD, GOOD, KINDS, WEIGHTS, Fleet, Want, allowed, configuration_digest, points_of
from lineside.agent.clock import now
from lineside.agent.crash import POINTS
from lineside.agent.supervision.processes import marked
from lineside.contract.reported import ComponentState, Report

SETTLE_SECONDS = 30.0
"""Longest that a device may need until it stands still."""
MOST_UNSETTLED = 3
"""Kills of one document in a row before the device is left alone until it settles: after five the agent gives up."""


class Violation(Exception):
    """The device is not what it should be. `what`: bricked, unknown or wrong_version."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why = what, why


class Life(msgspec.Struct):
    """How one life of the agent went."""

    aim: str  # a crash point, `operation`, `instant`, `at rest`, `offline`
    kind: str  # of the document that was wanted
    settled: bool = False
    missed: bool = False  # it came to rest, and was killed there, before what was aimed at
    lost: list[str] | None = None  # what the power cut took; None: a plain kill -9


class Device:
    """A device and its control plane below one folder."""

    def __init__(self, folder: Path, zygote: Zygote, dice: random.Random) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._zygote = zygote
        self._dice = dice
        self.fleet = Fleet(folder, dice)
        self._agent = AgentProcess(folder / "root", self.fleet)
        self._agent.join()
        self._root = self._agent.paths.root
        self._journal = folder / "journal"  # of all lives since the last power cut
        self._disk = Disk(self._root)
        self._want = Want("good", GOOD[0], 0)
        self._maybe: list[Want | None] = [None]  # what the good set can be now
        self._numbers = {0}
        self._revision = 0
        self._unsettled = 0
        self._seen = 0  # bytes of the witness file that were judged
        self._since = ""  # when this life began
        self._failed: str | None = None  # a version that must not be tried again before the next document

    def close(self) -> None:
        """End everything and remove it."""
        self._end_all()
        self.fleet.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def live(self) -> Life:
        """One life, from start to kill. Raises `Violation`."""
        dice = self._dice
        new = self._revision == 0 or (self._unsettled < MOST_UNSETTLED and dice.random() < 0.6)
        want = self._choose() if new else self._want
        life = Life(self._aim(want, new=new), want.kind)
        self.fleet.overloaded = 1 << 60 if life.aim == "offline" else 0
        late = new and self._revision > 0 and dice.random() < 0.5
        if new and not late:
            self._order(want)
        failed = self._failed if not new else None
        self._since = now()
        pid = self._start(life)
        if late:
            time.sleep(dice.uniform(0.0, 0.15))
            self._order(want)
        code = self._watch(pid, life)
        if code not in (-signal.SIGKILL, 137):
            words = (self.folder / "agent.log").read_text(errors="replace").splitlines()
            raise Violation("bricked", f"the agent ended by itself with status {code}: {''.join(words[-1:])}")
        if dice.random() < 0.75:
            self._end_all()
            life.lost = self._disk.cut(self._journal, dice)
            shutil.rmtree(self._journal, ignore_errors=True)
            self._disk = Disk(self._root)
        self._judge_witness(failed)
        self._unsettled = 0 if life.settled else self._unsettled + 1
        return life

    def _choose(self) -> Want:
        (kind,) = self._dice.choices(KINDS, WEIGHTS)
        if kind == "configuration":
            good = self._want if self._want.good else next((one for one in self._maybe if one), self._want)
            number = self._dice.randrange(1, 1000)
            return Want(kind, good.version if good.good else GOOD[0], number)
        version = BAD.get(kind) or self._dice.choice(GOOD)
        return Want(kind, version, self._want.number)

    def _aim(self, want: Want, *, new: bool) -> str:
        """When to kill it: at a crash point that this document leads to, if it is a new one, or at any other moment."""
        if self._unsettled >= MOST_UNSETTLED:
            return "at rest"
        kind = self._dice.random()
        if not new and self._unsettled == 0 and self._maybe != [None] and kind < 0.5:
            return "offline"
        if new and kind < 0.6:
            return self._dice.choice(points_of(want, first=self._maybe == [None]))
        if kind < 0.8:
            return f"operation {self._dice.randint(1, self._dice.choice((20, 60, 150) if new else (20, 40)))}"
        return "instant" if kind < 0.95 else "at rest"

    def _order(self, want: Want) -> None:
        """A new document: until it settles, what was good may stay so, or the new one may become it."""
        if self._want.good and self._revision and self._want not in self._maybe:
            self._maybe.append(self._want)
        self._want = want
        self._numbers.add(want.number)
        self._failed = None
        self._unsettled = 0
        self._revision = self.fleet.order(want)

    def _start(self, life: Life) -> int:
        environment = {"LINESIDE_TEST_JOURNAL": str(self._journal), "LINESIDE_TEST_PATIENCE": "0.02"}
        if life.aim in POINTS:
            environment["LINESIDE_CRASH_AT"] = life.aim
        elif life.aim.startswith("operation"):
            environment["LINESIDE_TEST_DIE_AT"] = life.aim.split()[1]
            life.aim = "operation"
        return self._zygote.start(["run", "--root", str(self._root)], environment, self.folder / "agent.log")

    def _watch(self, pid: int, life: Life) -> int:
        """Wait until it dies as planned, or has settled; its exit status."""
        began = time.monotonic()
        limit = self._dice.uniform(0.0, 0.6) if life.aim == "instant" else SETTLE_SECONDS
        handle = os.pidfd_open(pid)
        try:
            while not select.select([handle], [], [], 0.005)[0]:
                if time.monotonic() - began > limit:
                    if life.aim == "instant":
                        break
                    self._never_settled(began)
                if life.aim == "offline":
                    self._await_running(self._maybe)
                    life.settled = True
                    break
                report = self.fleet.newest(self._revision, self._since)
                if report is not None and report.phase in allowed(self._want):
                    self._judge(report)
                    life.settled = True
                    life.missed = life.aim != "at rest"
                    break
        except Violation:
            self._kill(pid)
            raise
        else:
            self._kill(pid)
        finally:
            os.close(handle)
        return self._zygote.wait(pid)

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # just forked: not the leader of its own group yet
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        """As a power cut does."""
        for pid, _ in marked(str(self._root)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # --- judging --------------------------------------------------------------------------------------------------

    def _never_settled(self, began: float) -> None:
        report = self.fleet.newest(self._revision, self._since)
        if report is None:
            raise Violation("bricked", f"nothing was reported about revision {self._revision}")
        raise Violation("unknown", f"{self._want} rests in {_said(report)}")

    def _judge(self, report: Report) -> None:
        """The device stands still: it must be what it says, and what it may be."""
        if self.fleet.faults:
            raise Violation("unknown", self.fleet.faults[0])
        code = report.error.code if report.error else None
        if code not in allowed(self._want)[report.phase]:
            raise Violation("unknown", f"{self._want} rests in {_said(report)}")
        candidates = [self._want] if self._want.good else self._maybe
        # A process that was just forked does not carry the device's mark yet: nothing runs only if that is said too.
        told = [one for one in candidates if (one is None) == (not report.running)]
        running = self._await_running(told or candidates)
        self._judge_report(report, running)
        self._maybe = [running]
        if self._want.kind in ("crashing", "hanging"):
            self._failed = self._want.version

    def _await_running(self, candidates: Sequence[Want | None]) -> Want | None:
        """Which of these really runs, by its processes, its last words and its configuration file."""
        deadline = time.monotonic() + 10.0
        while True:
            found = [one for one in candidates if self._runs(one)]
            if found:
                return found[0]
            if time.monotonic() > deadline:
                why = f"{self._want}: none of {candidates} runs, but {self._processes()} {self._last_words()}"
                raise Violation("wrong_version", why)
            time.sleep(0.02)

    def _runs(self, want: Want | None) -> bool:
        processes = self._processes()
        if want is None:
            return not processes
        expected = ["app"] * (2 if want.version == GOOD[0] else 1)
        return processes == expected and self._last_words() == self._words(want)

    def _processes(self) -> list[str]:
        """The component of each process that carries the device's mark, but those that just look."""
        found = []
        for pid, _ in marked(str(self._root)):
            with contextlib.suppress(OSError):
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                names = [one[19:] for one in variables if one.startswith(b"LINESIDE_COMPONENT=")]
                found.append(names[0].decode() if names else "?")
        return found

    def _last_words(self) -> list[str]:
        lines = self.fleet.witness.read_text().splitlines()
        return lines[-1].split() if lines else []

    def _words(self, want: Want) -> list[str]:
        return [want.version, *self.fleet.digests[want.version], configuration_digest(want.number)]

    def _judge_report(self, report: Report, running: Want | None) -> None:
        said = {item.name: (item.version, item.state) for item in report.running}
        if running is None:
            expected = {}
        else:
            model = f"{1 + int(running.version[0]) % 2}.0.0"
            expected = {
                "app": (running.version, ComponentState.RUNNING),
                "model": (model, ComponentState.FINISHED),
            }
        if said != expected:
            raise Violation("unknown", f"{self._want}: {_said(report)} says {said}, not {expected}")

    def _judge_witness(self, failed: str | None) -> None:
        """Whatever started, ever: whole, of one version, with a configuration that was wanted once."""
        with self.fleet.witness.open() as file:
            file.seek(self._seen)
            lines = file.readlines()
            self._seen = file.tell()
        configurations = {configuration_digest(number) for number in self._numbers}
        for line in lines:
            version, *digests = line.split()
            if version == failed:
                raise Violation("wrong_version", f"a version that had failed was tried again: {line}")
            if tuple(digests[:3]) != self.fleet.digests.get(version) or digests[3:4] == []:
                raise Violation("wrong_version", f"something torn or mixed was run: {line}")
            if digests[3] not in configurations:
                raise Violation("wrong_version", f"run with a configuration that nobody wanted: {line}")


def _said(report: Report) -> str:
    said = report.phase.value
    return f"{said} ({report.error.code}: {report.error.message})" if report.error else said
