"""The worker as a program: `lineside worker --url URL --root DIR [--queue NAME] [--slots N] [--commands]`.

It needs nothing but the control plane's address, a token in LINESIDE_TOKEN (of the permission `work`), and for https
the certificates in the file LINESIDE_CA. The control plane gives them to the worker it starts itself.
It may end at any moment: whatever it had finished is on disk, and the next start goes on from there. When it is told to
end, it gives back what it has at work.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.shapes import learn_shapes
from lineside.pipeline.entry import Entry
from lineside.pipeline.files import write_whole
from lineside.pipeline.sessions import keep_to_oneself

if TYPE_CHECKING:
    from lineside.pipeline.worker import Worker

_NEEDED = ("dbos", "torch", "onnx", "onnxruntime", "pycocotools")
_NICENESS = 10  # pages and agents on the same machine come first
_LOCK_PATIENCE = 5.0  # seconds for the worker before this one to be gone
_LAST_WORDS = 3.0  # seconds to give back what is at work
_logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run the worker until SIGTERM or until its parent is gone; 1 when it can't start."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with hold(asked.root):
            learn_shapes()
            _work(asked)
    except LinesideError as error:
        sys.stderr.write(f"{error.message} {error.next}\n")
        return 1
    return 0


def hold(root: Path) -> IO[str]:
    """The lock on a worker's folder, held while the file is open; errors: start.root_in_use, start.root_read_only."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "lock").open("a+")
    except OSError as failure:
        raise LinesideError("start.root_read_only", root=root) from failure
    deadline = time.monotonic() + _LOCK_PATIENCE
    while not _locked(lock):
        if time.monotonic() > deadline:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise LinesideError("start.root_in_use", pid=holder, root=root)
        time.sleep(0.1)
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _work(asked: argparse.Namespace) -> None:
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise LinesideError("start.extra_missing", extra="train")
    from lineside.pipeline.worker import Offer, Worker  # heavy, and not needed to say that something is missing
    from lineside.runtime.engines.cores import usable_cores

    os.nice(_NICENESS)
    ending = Ending()
    signal.signal(signal.SIGTERM, ending.on_signal)
    signal.signal(signal.SIGINT, ending.on_signal)
    if asked.parent_stdin:
        threading.Thread(target=_end_with_parent, args=(ending,), name="parent", daemon=True).start()
    keep_to_oneself()
    entry = entry_of(asked.url)
    name = asked.name or _kept_name(asked.root)
    threads = max(1, usable_cores() // asked.slots)
    offer = Offer(
        name=name,
        queue=asked.queue,
        slots=asked.slots,
        threads=threads,
        commands=asked.commands,
        keep_seconds=asked.keep_seconds,
    )
    worker = Worker(connect(entry), entry, asked.root.resolve(), offer, threading.Event())
    threading.Thread(target=_run, args=(worker, ending), name="worker", daemon=True).start()
    status = ending.wait()
    threading.Thread(target=_lose_patience, args=(status,), name="end", daemon=True).start()
    worker.end()
    logging.shutdown()
    os._exit(status)


class Ending:
    """Why the worker ends. It can be told from any thread and from a signal's handler: neither takes a lock."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT arrived."""
        os.write(self._write, bytes([number]))

    def parent_is_gone(self) -> None:
        """Standard input was closed."""
        os.write(self._write, b"\0")

    def broke(self) -> None:
        """The worker itself ended, which it never does."""
        os.write(self._write, b"\xff")

    def wait(self) -> int:
        """Until it ends; the exit status."""
        why = os.read(self._read, 1)[0]
        said = {0: "its parent is gone", 255: "it broke"}
        _logger.info("the worker ends: %s", said[why] if why in said else signal.Signals(why).name)
        return int(why == 255)


def _run(worker: Worker, ending: Ending) -> None:
    try:
        worker.run()
    except BaseException:
        _logger.exception("the worker broke")
        ending.broke()


def _lose_patience(status: int) -> NoReturn:
    """Nothing that matters is in memory only: what could not be said in time is found out by the lease."""
    time.sleep(_LAST_WORDS)
    os._exit(status)


def entry_of(url: str) -> Entry:
    """The way in that the environment says: LINESIDE_TOKEN, LINESIDE_CA. Raises `cli.file_unreadable`."""
    token = os.environ.pop("LINESIDE_TOKEN", None)  # not for the programs that steps start
    ca = os.environ.get("LINESIDE_CA")
    try:
        return Entry(url=url, token=token, ca=Path(ca).read_text() if ca else None)
    except (OSError, UnicodeDecodeError) as failure:
        raise LinesideError("cli.file_unreadable", file=ca, why=failure) from failure


def connect(entry: Entry) -> Client:
    """A client for a way in."""
    return Client(entry.url, entry.token, entry.ca)


def _kept_name(root: Path) -> str:
    """A name of this folder's own, the same after a restart."""
    path = root / "name"
    if not path.exists():
        host = "".join(letter for letter in socket.gethostname().lower() if letter.isalnum() or letter == "-")
        write_whole(path, f"{host[:40] or 'worker'}-{secrets.token_hex(4)}\n".encode())
    return path.read_text().strip()


def _end_with_parent(ending: Ending) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    ending.parent_is_gone()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it needs at least one")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lineside worker", description="Do the runs that wait in a queue.")
    parser.add_argument("--url", required=True, help="address of the control plane's API for people")
    parser.add_argument("--root", required=True, type=Path, help="folder for checkpoints, cached blobs and workflows")
    name = os.environ.get("LINESIDE_WORKER_NAME")
    parser.add_argument("--name", default=name, help="each worker needs its own; made from the host's by default")
    parser.add_argument("--queue", default="default", help="the queue whose runs it takes")
    parser.add_argument("--slots", type=_at_least_one, default=1, help="how many runs it does at once")
    parser.add_argument("--commands", action="store_true", help="also do steps that are people's own programs")
    parser.add_argument(
        "--keep-seconds", type=float, default=30.0, help="between two copies of a training's checkpoint"
    )
    parser.add_argument("--parent-stdin", action="store_true", help="end when standard input is closed")
    return parser
