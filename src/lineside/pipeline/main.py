"""The worker as a program: `python -m lineside.pipeline --url URL --root DIR [--name NAME] [--parent-stdin]`.

It proves who it is with the token in LINESIDE_TOKEN, and checks an https control plane against the certificates in the
file LINESIDE_CA. The control plane gives both to the worker it starts itself.
It may end at any moment: whatever it had finished is on disk, and the next start goes on from there.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO

from lineside.client import Client
from lineside.contract.errors import LinesideError

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
    from lineside.pipeline.worker import Worker  # heavy, and absent without the extra
    from lineside.runtime.engines.cores import usable_cores

    os.nice(_NICENESS)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    if asked.parent_stdin:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    root: Path = asked.root.resolve()
    Worker(connect(asked.url), root, asked.name, usable_cores(), threading.Event()).run()


def connect(url: str) -> Client:
    """A client with what the environment says: LINESIDE_TOKEN, LINESIDE_CA. Raises `cli.file_unreadable`."""
    token = os.environ.pop("LINESIDE_TOKEN", None)  # not for the programs that steps start
    ca = os.environ.get("LINESIDE_CA")
    try:
        return Client(url, token, Path(ca).read_text() if ca else None)
    except (OSError, UnicodeDecodeError) as failure:
        raise LinesideError("cli.file_unreadable", file=ca, why=failure) from failure


def _end(number: int, frame: FrameType | None) -> None:
    """End now: nothing that matters is in memory only, and a training in a C++ loop can't be asked to hurry."""
    _logger.info("the worker ends: %s", signal.Signals(number).name)
    logging.shutdown()
    os._exit(0)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    _logger.info("the worker ends: its parent is gone")
    logging.shutdown()
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lineside.pipeline", description="The worker that does runs.")
    parser.add_argument("--url", required=True, help="address of the control plane's API for people")
    parser.add_argument("--root", required=True, type=Path, help="folder for checkpoints, cached blobs and workflows")
    name = os.environ.get("LINESIDE_WORKER_NAME", "worker")
    parser.add_argument("--name", default=name, help="under which runs are claimed; each worker needs its own")
    parser.add_argument("--parent-stdin", action="store_true", help="end when standard input is closed")
    return parser
