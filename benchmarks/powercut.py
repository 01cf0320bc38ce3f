"""`python -m benchmarks.powercut`: a device that is killed all the time while it is updated ends in a known state.

A real agent, joined to a control plane over HTTPS, is updated back and forth between versions that are good, crash,
hang, do not fit, or are not what they say, and is killed by SIGKILL at named crash points, before random file
operations, at random instants, at rest, and while the control plane is away (when it must run what it ran). After three
of four kills the power goes too: all processes end, and what was not synced is lost or torn (`tests/agent/disk`). Then
it starts again on what is left.

bricked: the agent ends by itself or never reports again. unknown: it does not come to rest where that version must,
reports what is not so, or uses a sequence number twice. wrong_version: what really runs is not exactly the good or the
wanted set with its configuration, a stray process is left, or anything torn was ever run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
from tests.agent.disk.zygote import Zygote

from benchmarks.measure import finish, table
from benchmarks.powercut_device import Device, Life, Violation

_MEMORY = Path("/dev/shm")  # noqa: S108  (what is lost is decided here: no disk has to spin for it)
QUICK, FULL = 200, 10_000
LIVES = 50
"""Lives of one device; then a new one joins."""
ENOUGH = 20
"""Violations after which a worker gives up."""
OUTCOMES = ("bricked", "unknown", "wrong_version")


class Result(msgspec.Struct):
    """What one worker saw."""

    lives: list[Life] = []
    violations: list[tuple[str, str]] = []


def work(seed: str, kills: int, folder: Path, kept: Path) -> Result:
    """Kill agents so often; every device that was not what it should be is kept for looking."""
    dice = random.Random(seed)
    zygote = Zygote()
    result = Result()
    number = 0
    try:
        while len(result.lives) + len(result.violations) < kills and len(result.violations) < ENOUGH:
            device = Device(folder / f"{seed}-{number}", zygote, dice)
            number += 1
            try:
                _live_on(device, min(LIVES, kills - len(result.lives) - len(result.violations)), result)
            except Violation as violation:
                result.violations.append((violation.what, violation.why))
                _keep(device, kept, violation)
            finally:
                device.close()
            _progress(seed, kills, result)
    finally:
        zygote.close()
    return result


def _progress(seed: str, kills: int, result: Result) -> None:
    done = len(result.lives) + len(result.violations)
    print(f"worker {seed}: {done} of {kills} kills, {len(result.violations)} violations", file=sys.stderr, flush=True)


def _live_on(device: Device, lives: int, result: Result) -> None:
    for _ in range(lives):
        result.lives.append(device.live())


def _keep(device: Device, kept: Path, violation: Violation) -> None:
    place = kept / device.folder.name
    shutil.copytree(device.folder, place, symlinks=True, dirs_exist_ok=True, ignore=_sockets)
    (place / "reports.json").write_bytes(msgspec.json.encode(device.fleet.reports))
    (place / "violation").write_text(f"{violation}\n")
    print(f"{violation}\n  look at {place}: root, journal/events, agent.log, witness, reports.json", file=sys.stderr)


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]


def run(kills: int, seed: str, workers: int, kept: Path) -> Result:
    """Kill agents in several workers at a time."""
    folder = Path(tempfile.mkdtemp(prefix="powercut-", dir=_MEMORY if _MEMORY.is_dir() else None))
    shares = [kills // workers + (number < kills % workers) for number in range(workers)]
    jobs = [(f"{seed}-{number}", share, folder, kept) for number, share in enumerate(shares)]
    try:
        if workers == 1:
            return work(*jobs[0])
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            results = pool.starmap(work, jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Result([life for one in results for life in one.lives], [v for one in results for v in one.violations])


def counted(lives: Iterable[Life], by: str) -> str:
    """A table: kills where they were aimed, kills at rest because that came first, and the power cuts with them."""
    counts: dict[str, Counter[str]] = {}
    for life in lives:
        count = counts.setdefault(getattr(life, by), Counter())
        count.update({"kills": not life.missed, "missed": life.missed, "cuts": life.lost is not None})
        count.update({"losses": bool(life.lost)})
    rows: list[tuple[str, ...]] = [(by, "killed there", "killed at rest before", "power cuts", "with losses")]
    columns = ("kills", "missed", "cuts", "losses")
    rows += [(name, *(str(int(count[column])) for column in columns)) for name, count in sorted(counts.items())]
    return table(rows)


def main() -> int:
    """Run it; exit status 1 when a device was not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, help=f"how many (default {FULL}, with --quick {QUICK})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} kills")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--seed", default="1", help="the same seed makes the same choices")
    parser.add_argument("--workers", type=int, default=2, help="devices at a time (%(default)s)")
    parser.add_argument("--keep", type=Path, default=Path("powercut-kept"), help="where devices that failed are kept")
    options = parser.parse_args()
    kills = options.kills or (QUICK if options.quick else FULL)
    began = time.monotonic()
    result = run(kills, options.seed, options.workers, options.keep.absolute())
    seconds = time.monotonic() - began
    print(counted(result.lives, "aim"), counted(result.lives, "kind"), sep="\n\n", end="\n\n")
    found = Counter(what for what, _ in result.violations)
    report = {
        "kills": len(result.lives) + len(result.violations),
        **{what: found[what] for what in OUTCOMES},
        "seconds_per_kill": round(seconds / max(1, len(result.lives)), 3),
        "settled": sum(life.settled for life in result.lives),
        "power_cuts": sum(life.lost is not None for life in result.lives),
        "losses": sum(len(life.lost or ()) for life in result.lives),
    }
    finish(report, as_json=options.json)
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
