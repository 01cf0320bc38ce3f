"""`python -m tests.agent.disk.program run --root ROOT`: the agent's own command line on a recorded disk.

Environment: LINESIDE_TEST_JOURNAL (the recorder's folder), LINESIDE_TEST_DIE_AT (operation), LINESIDE_TEST_FAULTS (a
file), LINESIDE_TEST_PATIENCE (seconds until a failed component is started again and between probes; else as always).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import lineside.agent.run as running
from lineside.agent.main import main
from lineside.agent.supervision.service import Timing
from tests.agent.disk.faults import Faults
from tests.agent.disk.recorder import Recorder


def run(arguments: Sequence[str]) -> int:
    """Record what this process writes, and be the agent."""
    root = Path(arguments[arguments.index("--root") + 1]).absolute()
    named = os.environ.get("LINESIDE_TEST_FAULTS")
    faults = Faults(Path(named)) if named else None
    if faults is not None:
        faults.install_sqlite()
    patience = os.environ.get("LINESIDE_TEST_PATIENCE")
    if patience:
        seconds = float(patience)
        setattr(running, "Timing", lambda: Timing(backoff=seconds, probe_interval=seconds))  # noqa: B010
    die_at = os.environ.get("LINESIDE_TEST_DIE_AT")
    journal = Path(os.environ["LINESIDE_TEST_JOURNAL"])
    Recorder(root, journal, die_at=int(die_at) if die_at else None, faults=faults).install()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
