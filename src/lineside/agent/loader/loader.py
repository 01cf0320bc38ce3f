"""The loader: starts the agent of one root, tries a new one, goes back to the one before. Standard library only.

`lineside agent install` copies this file to <root>/loader/loader.py; run by `python -I -S`. Beside it:

    base.json     the agent that was installed by hand: always there, what everything falls back to
    pointer.json  {"good": A, "trying": A, "failed": F}: the agent to start if not the base, the one under trial, and
                  the last one that was given up. Replaced in one step; unreadable means: the base

Nothing under trial: the loader becomes the agent (exec), so that it costs nothing. A new agent runs as its child, until
it confirms itself (puts itself in place of `good`). Three starts that end without that, or none of it in time, and the
agent before runs again. Kill it at any moment: each start is counted on disk before it happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time

TYPE_CHECKING = False  # typing itself need not be imported
if TYPE_CHECKING:
    from typing import Any

MAX_STARTS = 3  # of an agent under trial
MAX_UNCONFIRMED = 10  # of a good agent in a row, until the base has to do
AGAIN = 86  # exit status of an agent that wants the loader to choose again
GRACE = 30.0  # seconds an agent has to end
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


def read(folder: str, name: str) -> dict[str, Any]:
    """A JSON object of the loader's folder; empty when it is absent or damaged."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(folder: str, name: str, value: dict[str, Any]) -> None:
    """Replace a file in one step that survives a power cut."""
    path = os.path.join(folder, name)  # noqa: PTH118
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.tmp", path)  # noqa: PTH105
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def choose(pointer: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What to start, given pointer.json as it is: its key, and pointer.json as it must be on disk before."""
    trying, good = _agent(pointer.get("trying")), _agent(pointer.get("good"))
    if trying is not None and trying.get("starts", 0) < MAX_STARTS:
        return "trying", pointer | {"trying": _counted(trying)}
    if pointer.get("trying"):
        return choose(give_up(pointer, f"it ended {MAX_STARTS} times before it was ready"))
    if good is not None and good.get("starts", 0) < MAX_UNCONFIRMED:
        return "good", pointer | {"good": _counted(good)}
    if pointer.get("good"):
        why = f"it ended {MAX_UNCONFIRMED} times before it was ready"
        return "base", {"failed": _failure(pointer["good"], why, "the one installed by hand")}
    return "base", pointer


def give_up(pointer: dict[str, Any], why: str) -> dict[str, Any]:
    """pointer.json without its trial: the good agent is to run, and what failed is remembered."""
    previous = (_agent(pointer.get("good")) or {}).get("version", "the one installed by hand")
    return {"good": pointer.get("good"), "failed": _failure(pointer.get("trying"), why, previous)}


def _failure(agent: Any, why: str, previous: str) -> dict[str, Any]:
    kept = {key: agent.get(key, "") for key in ("digest", "version", "document")} if isinstance(agent, dict) else {}
    return kept | {"why": why, "previous": previous}


def _agent(value: Any) -> dict[str, Any] | None:
    """An agent's entry of pointer.json, if it is one that can be started."""
    if not isinstance(value, dict) or not isinstance(value.get("command"), list) or not value["command"]:
        return None
    numbers = (value.get("starts", 0), value.get("deadline", 300.0))
    sound = all(isinstance(part, str) for part in value["command"]) and all(isinstance(n, int | float) for n in numbers)
    return value if sound else None


def _counted(agent: dict[str, Any]) -> dict[str, Any]:
    return agent | {"starts": agent.get("starts", 0) + 1}


def main(folder: str, arguments: list[str]) -> int:
    """Start agents until one ends for good; its exit status."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    while True:
        before = read(folder, "pointer.json")
        key, pointer = choose(before)
        try:
            if pointer != before:
                write(folder, "pointer.json", pointer)
        except OSError as error:  # a trial that cannot be counted is no trial; any other agent must run all the same
            _say(f"{folder} cannot be written: {error}")
            key = "good" if key == "trying" and _agent(pointer.get("good")) else "base" if key == "trying" else key
        if key != "trying":
            _become(folder, pointer.get("good") if key == "good" else None, arguments)
            continue
        code = _try(folder, pointer["trying"], arguments)
        if code is not None:
            return code


def _become(folder: str, agent: dict[str, Any] | None, arguments: list[str]) -> None:
    """Exec the good agent or the base; returns only when the good one cannot be started, which is then forgotten."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    base = read(folder, "base.json")
    try:
        chosen = agent or base
        os.execve(chosen["command"][0], [*chosen["command"], *arguments], _environment(folder, chosen, child=False))
    except (OSError, KeyError, IndexError, TypeError) as error:
        if agent is None:
            _say(f"the agent that was installed by hand cannot be started: {error}")
            sys.exit(127)
        _say(f"the agent {agent.get('version')} cannot be started: {error}")
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        failed = {"failed": _failure(agent, f"it cannot be started: {error}", base.get("version", ""))}
        try:
            write(folder, "pointer.json", failed)
        except OSError:
            _become(folder, None, arguments)


def _try(folder: str, agent: dict[str, Any], arguments: list[str]) -> int | None:
    """Run an agent under trial as a child; an exit status to end with, or None to choose again."""
    _say(f"trying the agent {agent.get('version')}, start {agent['starts']} of {MAX_STARTS}")
    child = _spawn(folder, agent, arguments)
    seconds = float(agent.get("deadline", 300.0))
    deadline, told = time.monotonic() + seconds, False
    while (status := _ended(child)) is None:
        waits = told or _confirmed(folder, agent)
        left = deadline - time.monotonic()
        if not waits and left <= 0:
            _end(child)
            if not _confirmed(folder, agent):
                _keep(folder, give_up(read(folder, "pointer.json"), f"it was not ready in {seconds:g} s"))
            return None
        got = signal.sigtimedwait(_SIGNALS, 3600.0 if waits else min(0.5, max(0.0, left)))
        if got is not None and got.si_signo != signal.SIGCHLD:
            told = True
            os.kill(child, got.si_signo)
    code = os.waitstatus_to_exitcode(status)
    if told:
        if not _confirmed(folder, agent):  # it was stopped, it did not fail
            _keep(folder, read(folder, "pointer.json") | {"trying": agent | {"starts": 0}})
        return max(code, 0)
    if code == AGAIN:
        return None
    if not _confirmed(folder, agent):
        time.sleep(0.25 * 2 ** agent["starts"] if agent["starts"] < MAX_STARTS else 0.0)
        return None
    return code if code >= 0 else 128 - code


def _keep(folder: str, pointer: dict[str, Any]) -> None:
    try:
        write(folder, "pointer.json", pointer)
    except OSError as error:  # the next start counts again, and ends at the same place
        _say(f"{folder} cannot be written: {error}")


def _spawn(folder: str, agent: dict[str, Any], arguments: list[str]) -> int:
    loader, libc = os.getpid(), ctypes.CDLL(None)
    child = os.fork()
    if child:
        return child
    try:
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: without its loader it ends
        if os.getppid() == loader:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            command = [*agent["command"], *arguments]
            os.execve(command[0], command, _environment(folder, agent, child=True))
    except OSError as error:
        _say(f"{error}")
    os._exit(127)


def _environment(folder: str, agent: dict[str, Any], child: bool) -> dict[str, str]:
    mark = {"LINESIDE_LOADER": folder, "LINESIDE_LOADER_CHILD": "1" if child else ""}
    return dict(os.environ) | mark | {"LINESIDE_AGENT_DIGEST": str(agent.get("digest", ""))}


def _confirmed(folder: str, agent: dict[str, Any]) -> bool:
    trying = _agent(read(folder, "pointer.json").get("trying")) or {}
    return (trying.get("digest"), trying.get("document")) != (agent.get("digest"), agent.get("document"))


def _ended(child: int) -> int | None:
    found, status = os.waitpid(child, os.WNOHANG)
    return status if found else None


def _end(child: int) -> None:
    os.kill(child, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while _ended_quietly(child) is None:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.5)


def _ended_quietly(child: int) -> int | None:
    with contextlib.suppress(ChildProcessError):
        return _ended(child)
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"lineside loader: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(os.path.dirname(os.path.abspath(__file__)), sys.argv[1:]))  # noqa: PTH100, PTH120
