"""What a component's processes run within: its log, its cgroup, its user, its sandbox, its limits."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping

from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.logs.files import Log, Sink
from lineside.agent.supervision.processes import (
    COMPONENT_MARKER,
    MARKER,
    Child,
    end_processes,
    marked,
    start_time,
)
from lineside.agent.supervision.walls import sandbox, users
from lineside.agent.supervision.walls.cgroups import Corner, Group
from lineside.agent.supervision.walls.confinement import Confinement, Identity
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import StepScript

FATAL = (
    "component.user_unknown",
    "component.user_needs_root",
    "component.sandbox_missing",
    "component.sandbox_unusable",
    "component.sandbox_privilege",
)
"""Codes that trying again does not help against."""


class Surroundings:
    """One component's. `prepare` before anything is started in it, `close` when all is over."""

    def __init__(self, launch: Launch, corner: Corner | None) -> None:
        self.launch = launch
        self.limits = ""  # how its limits are held, in words
        self.paused = False
        self._corner = corner
        self._group: Group | None = None
        self._identity: Identity | None = None
        self._confinement: Confinement | None = None  # None: not prepared; nothing may be started
        self._log: Log | None = None
        self._children: list[Child] = []
        self._kept: set[int] = set()  # process groups that may go on without their leader
        self._lock = threading.Lock()  # pausing and listing come from other threads

    def prepare(self) -> None:
        """Make everything ready for a life. Raises one of `FATAL`, `OSError`."""
        launch = self.launch
        self._confinement = None
        self.resume()
        if self._log is None:
            self._log = Log(launch.log)
        self._identity = users.identity(launch.name, launch.run_with.posix_user)
        launch.directory.mkdir(parents=True, exist_ok=True)
        if self._identity is not None:
            users.give(launch.directory, self._identity)
            with contextlib.suppress(OSError):  # so that a script may open /dev/stdout by name
                os.fchown(self._log.writing, self._identity.uid, self._identity.gid)
        if self._group is None and self._corner is not None:
            with contextlib.suppress(OSError):
                self._group = self._corner.group(launch.name, launch.run_with.system_resource_limits)
        self._confinement = self._walls()

    @property
    def prepared(self) -> bool:
        """Whether something may be started."""
        return self._confinement is not None

    def _walls(self) -> Confinement:
        launch, group = self.launch, self._group
        limits = launch.run_with.system_resource_limits
        data_limit = None
        if limits.memory is not None and (group is None or not group.limits_memory):
            data_limit = limits.memory * 1024
        self.limits = describe(group, memory=limits.memory is not None, cpus=limits.cpus is not None)
        wrapper: tuple[str, ...] = ()
        if launch.sandbox:
            if any(step.requires_privilege for step in launch.lifecycle.values()):
                raise LinesideError("component.sandbox_privilege", name=launch.name)
            wrapper = sandbox.wrapper(launch.name, launch.root, launch.directory, launch.writable)
        entries = () if group is None else group.entries()
        return Confinement(entries=entries, data_limit=data_limit, identity=self._identity, wrapper=wrapper)

    def spawn(self, step: StepScript, output: Sink | None = None, *, keep_group: bool = False) -> Child:
        """Start a step's script; what it prints goes to the log, or to `output` (what it complains of, to the log)."""
        walls = self._confinement
        if self._log is None or walls is None:
            raise RuntimeError("prepare comes first")
        if step.requires_privilege:
            walls = Confinement(entries=walls.entries, data_limit=walls.data_limit)
        environment = self.launch.environment | _person(walls.identity) | step.setenv
        writing = self._log.writing if output is None else output.writing
        child = Child(
            step.script, environment, self.launch.directory, writing, self._log.writing, walls, keep_group=keep_group
        )
        with self._lock:
            self._children = [one for one in self._children if one.code is None] + [child]
            if keep_group:
                self._kept.add(child.pid)
        return child

    def drain(self) -> None:
        """See that what was printed until now is in the log."""
        if self._log is not None:
            self._log.drain()

    def pids(self, members: Mapping[int, list[int]]) -> list[int]:
        """Its processes: all of its cgroup, else of the process groups it was started in."""
        if self._group is not None:
            return self._group.pids()
        with self._lock:
            leaders = self._kept | {child.pid for child in self._children if child.code is None}
        return [pid for leader in sorted(leaders) for pid in members.get(leader, [])]

    def pause(self) -> None:
        """Stop every process where it is."""
        self.paused = True
        if self._group is not None:
            self._group.freeze()
        else:
            self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        if self._group is not None and self.paused:
            with contextlib.suppress(OSError):
                self._group.thaw()
        elif self.paused:
            self._signal(signal.SIGCONT)
        self.paused = False

    def _signal(self, number: signal.Signals) -> None:
        for pid, _ in self._marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def memory_held(self) -> bool:
        """Whether the kernel holds all of its processes together to a memory limit."""
        return self._group is not None and self._group.limits_memory

    def out_of_memory(self) -> int:
        """How many of its processes were ended for want of memory so far."""
        return self._group.out_of_memory() if self._group is not None and self._group.limits_memory else 0

    def end_all(self, grace: float) -> None:
        """End whatever is left of the component, wherever it went: SIGTERM, SIGKILL after `grace` seconds."""
        self.resume()
        strays = self._marked()
        if self._group is not None:
            there = {pid for pid, _ in strays}
            strays += [
                (pid, started) for pid in self._group.pids() if pid not in there and (started := start_time(pid))
            ]
        if strays:
            end_processes(strays, grace)
        if self._group is not None:
            self._group.kill()
        with self._lock:
            self._kept.clear()

    def _marked(self) -> list[tuple[int, int]]:
        """Processes that say by their environment whose they are."""
        return marked(self.launch.environment[MARKER], self.launch.environment[COMPONENT_MARKER])

    def close(self, grace: float) -> None:
        """End everything, and take the cgroup and the log's pipe away."""
        self.end_all(grace)
        if self._group is not None:
            self._group.remove()
            self._group = None
        if self._log is not None:
            self._log.close()
            self._log = None


def describe(group: Group | None, *, memory: bool, cpus: bool) -> str:
    """How limits are held: nothing when there are none; what cannot be held is named."""
    if not memory and not cpus:
        return ""
    held = {group.kind} if group is not None and (group.limits_memory or group.limits_cpus) else set()
    if memory and (group is None or not group.limits_memory):
        held.add("rlimits")
    words = sorted(held)
    if cpus and (group is None or not group.limits_cpus):
        words.append("cpus not held")
    return ", ".join(words)


def _person(who: Identity | None) -> dict[str, str]:
    return {} if who is None else {"HOME": who.home, "USER": who.name, "LOGNAME": who.name}
