"""Takeover: a worker is killed with kill -9 in the middle of training; how long until another one goes on with its run.

    python -m benchmarks.takeover [--kills N] [--quick] [--json]

Real processes with the real lease of 30 s: a control plane, two workers of one queue, one training (`compact`, rendered
pictures). The worker that has the run is killed, with everything it started, as soon as it has trained an epoch of its
own; then it is started again as the one that waits. `claimed` is when another worker has the run, `training` when that
one has trained its first epoch: it starts the run's process, fetches the last checkpoint and goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.fleet.plane import Plane
from benchmarks.measure import finish, table
from lineside.client import Client
from lineside.client.folder import upload_folder
from lineside.contract.run import Run, RunRequest, RunState, Step
from lineside.contract.worker import LEASE_SECONDS
from lineside.pipeline.render import render

_NAMES = ("one", "two")
_LOOK = 0.1  # seconds between two looks
_PATIENCE = 300.0


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two kills")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineside-takeover-") as name:
        taken = list(_takeovers(Path(name), 2 if asked.quick else asked.kills))
    print(
        table([("kill", "claimed s", "training s"), *((str(at + 1), *map(str, one)) for at, one in enumerate(taken))])
    )
    claimed, training = zip(*taken, strict=True)
    report = {
        "kills": len(taken),
        "lease_s": LEASE_SECONDS,
        "claimed_median_s": round(statistics.median(claimed), 1),
        "claimed_max_s": max(claimed),
        "training_median_s": round(statistics.median(training), 1),
        "training_max_s": max(training),
    }
    finish(report, as_json=asked.json)


def _takeovers(temp: Path, kills: int) -> Iterator[tuple[float, float]]:
    """Seconds after each kill until another worker has the run, and until it has trained an epoch."""
    render(temp / "pictures", 24, seed=1, groups=12)
    (temp / "root").mkdir()
    with Plane(temp / "root", []) as plane, contextlib.ExitStack() as workers:
        client = plane.client
        dataset = upload_folder(client, temp / "pictures", "plates").version.id
        small = {"input_width": 64, "input_height": 64, "epochs": 1_000_000}
        run = client.start_run(RunRequest(model="plates", dataset=dataset, parameters=small)).id
        at_work: dict[str, subprocess.Popen[bytes]] = {}
        for name in _NAMES:
            at_work[name] = workers.enter_context(_worker(client, temp, name))
        for _ in range(kills):
            before = _trained(client, run, 0)
            assert before.worker is not None
            kill(at_work[before.worker])
            killed = time.monotonic()
            _until(lambda before=before: client.run(run).attempt > before.attempt)  # type: ignore[misc]
            claimed = time.monotonic() - killed
            after = _trained(client, run, before.attempt)
            assert after.worker != before.worker, "the killed worker has it"
            yield round(claimed, 1), round(time.monotonic() - killed, 1)
            at_work[before.worker] = workers.enter_context(_worker(client, temp, before.worker))
        client.cancel_run(run)


def _trained(client: Client, run: str, attempt: int) -> Run:
    """The run, as soon as an attempt after this one has trained an epoch and said so."""
    said: list[str] = []

    def trained() -> bool:
        known = client.run(run)
        assert known.state in (RunState.QUEUED, RunState.RUNNING), f"{known.state}: {known.error}"
        if known.attempt > attempt:  # its message is the attempt's before, then none, a sentence, its own first epoch
            said.append(_train(known).message)
        return bool(said) and said[-1].startswith("epoch ") and said[-1] != said[0]

    _until(trained)
    return client.run(run)


def _train(run: Run) -> Step:
    return next(step for step in run.steps if step.name == "train")


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"nothing happened for {_PATIENCE:g} s"
        time.sleep(_LOOK)


@contextlib.contextmanager
def _worker(client: Client, temp: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is there: it has said so."""
    words = ["-m", "lineside.pipeline", "--url", client.url, "--root", str(temp / name), "--name", name]
    token = (temp / "root" / "keys" / "local.token").read_text().strip()
    with (temp / f"{name}.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, *words], stderr=log, env=os.environ | {"LINESIDE_TOKEN": token})
    try:
        _until(lambda: any(one.name == name and not one.away for one in client.workers()))
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As if the machine had lost its power: the worker, and everything it started."""
    for pid in (process.pid, *_descendants(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, look = [], [pid]
    while look:
        below = children.get(look.pop(), [])
        found += below
        look += below
    return found


if __name__ == "__main__":
    main()
