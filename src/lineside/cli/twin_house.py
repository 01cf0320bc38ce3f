"""Where twins live on this machine: one folder, a folder below it for each, and the processes that run from it.

FOLDER/lock              held as long as twins run from here; its process id within
FOLDER/NAME/             the agent root of a twin, with its profile in twin.json
FOLDER/logs/NAME.log     what its agent says
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from lineside.cli.demo.processes import PATIENCE, Child, Processes
from lineside.client import Client
from lineside.contract.device import DeviceState, JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.reading import UNREADABLE
from lineside.contract.twin import HELD_FILE, PROFILE_FILE, PROFILES, TWINS, Held, Profile, read_profile

DEFAULT = Path("lineside-twins")

_AGENT = (sys.executable, "-m", "lineside.agent")
_ROLE = "twins"
_JOIN_SECONDS = 60.0


def find_profile(wanted: str) -> Profile:
    """A profile by its name, or from a JSON file. Raises `twin.profile_unknown`, `twin.profile_invalid`."""
    if wanted in PROFILES:
        return PROFILES[wanted]
    try:
        return read_profile(Path(wanted).read_bytes(), wanted)
    except OSError as error:
        raise LinesideError("twin.profile_unknown", name=wanted) from error


class TwinHouse:
    """The twins of one folder, while their processes are this program's."""

    def __init__(self, folder: Path, logs: Path, processes: Processes) -> None:
        self._folder, self._logs, self._processes = folder, logs, processes
        self.restarted: list[str] = []

    def start(self, client: Client, name: str, profile: Profile) -> bool:
        """Join a twin if it never did, and run its agent under the profile; answers whether it joined now.

        Raises `twin.not_started`, and what `Client` raises.
        """
        root = self._folder / name
        joins = not (self._joined(name) and _is_known(client, name))
        root.mkdir(parents=True, exist_ok=True)
        _write(root / PROFILE_FILE, msgspec.json.format(msgspec.json.encode(profile)))
        if joins:
            self._join(client, name)
        (root / HELD_FILE).unlink(missing_ok=True)
        self._processes.start(name, _ROLE, [*_AGENT, "run", "--root", str(root)], self._log(name))
        return joins

    def held(self, name: str, seconds: float = 30.0) -> str:
        """How a twin's limits are held, once its agent has said so. Raises `twin.not_started`."""
        deadline = time.monotonic() + seconds
        while True:
            held = read_held(self._folder / name)
            if held is not None:
                return held.words
            ended = any(child.name == name for child in self._processes.ended(_ROLE))
            if ended or time.monotonic() > deadline:
                raise LinesideError("twin.not_started", device=name, why=self._words(name), log=self._log(name))
            time.sleep(0.05)

    def keep_running(self) -> None:
        """Start agents again that ended, as a service manager would."""
        for child in self._processes.ended(_ROLE):
            self._processes.restart(child)
            self.restarted.append(child.name)

    def running(self) -> list[Child]:
        """The agents' processes."""
        return self._processes.children(_ROLE)

    def _joined(self, name: str) -> bool:
        return is_name(name) and (self._folder / name / "join.json").exists()  # the agent writes it last

    def _join(self, client: Client, name: str) -> None:
        token = client.create_join_token(JoinTokenRequest(group=TWINS, uses=1, ttl_seconds=600, twin=True))
        program = [*_AGENT, "join", token.url, "--token", token.token, "--ca-sha256", token.ca_sha256, "--twin"]
        program += ["--root", str(self._folder / name), "--name", name, "--force"]
        try:
            status = self._processes.run(f"{name} joining", program, self._log(name), _JOIN_SECONDS)
        except TimeoutError:
            status = 1
        if status != 0:
            raise LinesideError("twin.not_started", device=name, why=self._words(name), log=self._log(name))

    def _words(self, name: str) -> str:
        try:
            lines = self._log(name).read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return " ".join(line.strip() for line in lines[-2:] if line.strip()) or "it said nothing"

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


@contextmanager
def clearing(folder: Path) -> Iterator[None]:
    """In the end, when all agents have ended, take away what their control groups were."""
    try:
        yield
    finally:
        for path in folder.glob(f"*/{HELD_FILE}"):
            held = read_held(path.parent)
            for directory in held.directories if held is not None else ():
                with contextlib.suppress(OSError):
                    Path(directory).rmdir()


def read_held(root: Path) -> Held | None:
    """How a twin's limits are held; None while its agent has not said so."""
    try:
        return msgspec.json.decode((root / HELD_FILE).read_bytes(), type=Held)
    except (OSError, *UNREADABLE):
        return None


@contextmanager
def holding(folder: Path) -> Iterator[IO[str]]:
    """Hold a folder of twins. Raises `twin.running` when another process has it, `start.root_read_only`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / "lock").open("a+")
    except OSError as error:
        raise LinesideError("start.root_read_only", root=folder, why=error.strerror) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LinesideError("twin.running", folder=folder, pid=_pid_in(stream) or "unknown") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield stream


def holder_of(folder: Path) -> int | None:
    """The process that runs twins from a folder."""
    try:
        stream = (folder / "lock").open("r+")
    except OSError:
        return None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(stream)
    return None


def end(folder: Path) -> int | None:
    """End the twins of a folder; the process that had run them, None when there was none."""
    pid = holder_of(folder)
    if pid is None:
        return None
    for number, patience in ((signal.SIGTERM, 2 * PATIENCE), (signal.SIGKILL, PATIENCE)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        while holder_of(folder) == pid and time.monotonic() < deadline:
            time.sleep(0.05)
        if holder_of(folder) != pid:
            break
    return pid


def _is_known(client: Client, name: str) -> bool:
    try:
        return client.device(name).state is DeviceState.ACCEPTED
    except LinesideError as error:
        if error.code != "request.not_found":
            raise
        return False


def _pid_in(stream: IO[str]) -> int | None:
    stream.seek(0)
    text = stream.read().strip()
    return int(text) if text.isdecimal() else None


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
