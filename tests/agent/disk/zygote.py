"""Agents in milliseconds: a process that has imported the agent, and becomes one by fork(2) as often as asked.

The agent's imports take a quarter of a second of processor time, which would be most of a power cut test. What runs
after the fork is the agent's own `main`, in a session of its own.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any


class Zygote:
    """The process, seen from the test."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.agent.disk.zygote"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> int:
        """Start an agent; its pid."""
        pid: int = self._ask(start=arguments, environment=environment, log=str(log))
        return pid

    def wait(self, pid: int) -> int:
        """Wait until an agent has ended; its exit status, negative for a signal."""
        code: int = self._ask(wait=pid)
        return code

    def close(self) -> None:
        """End it. Agents that it started are not its concern."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    import tests.agent.disk.program  # noqa: F401  (imported once, here)

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "wait" in question:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _become(question)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _become(question: dict[str, Any]) -> None:
    """In the child: be the agent, and leave."""
    from tests.agent.disk.program import run

    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for old, new in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        os.environ.update(question["environment"])
        random.seed()
        code = run(question["start"])
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001  (this is the process's last line)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
