"""The worker as a program: `lineside worker --url URL --root DIR [--queue NAME] [--slots N] [--commands]`.

It needs nothing but the control plane's address, a token in LINESIDE_TOKEN (of the permission `work`), and for https
the certificates in the file LINESIDE_CA. The control plane gives them to the worker it starts itself.
It may end at any moment: whatever it had finished is on disk, and the next start goes on from there.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import logging
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.pipeline.entry import Entry
from lineside.pipeline.files import write_whole
from lineside.pipeline.sessions import keep_to_oneself, kill_run

_NEEDED = ("dbos", "torch", "onnx", "onnxruntime", "pycocotools")
_NICENESS = 10  # pages and agents on the same machine come first
_LOCK_PATIENCE = 5.0  # seconds for the worker before this one to be gone
_logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run the worker until SIGTERM or until its parent is gone; 1 when it can't start."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with hold(asked.root):
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
    from lineside.pipeline.worker import Offer, Worker
    from lineside.runtime.engines.cores import usable_cores

    os.nice(_NICENESS)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    if asked.parent_stdin:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
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
    Worker(connect(entry), entry, asked.root.resolve(), offer, threading.Event()).run()


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


def _end(number: int, frame: FrameType | None) -> None:
    """End now, and with it the processes of its runs: nothing that matters is in memory only."""
    _logger.info("the worker ends: %s", signal.Signals(number).name)
    for process in multiprocessing.active_children():
        kill_run(process)
    logging.shutdown()
    os._exit(0)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    _logger.info("the worker ends: its parent is gone")
    logging.shutdown()
    os._exit(0)


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
