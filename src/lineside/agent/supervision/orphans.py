"""Processes that a killed agent on this root left behind: found and ended before anything starts."""

from __future__ import annotations

from lineside.agent.paths import Paths
from lineside.agent.supervision.processes import end_processes, marked
from lineside.agent.supervision.walls.cgroups import sweep
from lineside.agent.updating.state import State

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""


def end_orphans(paths: Paths, state: State) -> int:
    """End them; how many there were. Looked for by recorded pid and start time, by their environment's marker, and in
    the cgroups that are this root's (what was frozen there is thawed and ended)."""
    found = {(pid, started) for pid, started, _ in state.processes()} | set(marked(str(paths.root)))
    ended = end_processes(sorted(found), GRACE) + sweep(paths.root)
    for pid, _, _ in state.processes():
        state.drop_process(pid)
    return ended
