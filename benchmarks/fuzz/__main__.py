"""The command line: all targets in turn until the time is over; one line a minute, one JSON object at the end."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.fuzz import documents, files, pictures, streams
from benchmarks.fuzz.hunt import ROUND, Score, hunt, limit_memory
from benchmarks.fuzz.target import Target

_MEMORY = Path("/dev/shm")  # noqa: S108 a tmpfs: thousands of small files are synced here, in a folder of our own
SAY_SECONDS = 60.0


def every(folder: Path) -> list[Target]:
    """All targets; `folder` for their temporary files."""
    return [*documents.targets(folder), *files.targets(folder), *streams.targets(folder), *pictures.targets(folder)]


def main() -> int:
    """0 when nothing was found."""
    given = _options()
    folder = Path(tempfile.mkdtemp(prefix="lineside-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        found = [one for one in every(folder) if not given.target or one.name in given.target]
        if given.replay:
            return _replay(found, given.replay)
        limit_memory()
        scores = _run(found, given)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    crashes = [f"{name}: {key}: {path}" for name, score in scores.items() for key, path in score.crashes.items()]
    print(_table(scores), *crashes, sep="\n")
    print(json.dumps({"seed": given.seed, "executions": {name: one.executions for name, one in scores.items()}}))
    return 1 if crashes else 0


def _run(found: list[Target], given: argparse.Namespace) -> dict[str, Score]:
    scores = {target.name: Score() for target in found}
    chance = random.Random(given.seed)
    began = said = time.monotonic()
    print(f"seed {given.seed}, {given.minutes:g} minutes, {', '.join(scores)}", flush=True)
    until = began + given.minutes * 60.0
    while time.monotonic() < until:
        target = min(found, key=lambda one: scores[one.name].seconds)
        hunt(target, scores[target.name], chance.getrandbits(64), given.keep, until, given.round)
        if time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            print(f"{(said - began) / 60:.0f} minutes\n{_table(scores)}", flush=True)
    return scores


def _replay(found: list[Target], path: Path) -> int:
    for target in found:
        target.read(path.read_bytes())
    print(f"{path} is read as it should be")
    return 0


def _table(scores: Mapping[str, Score]) -> str:
    lines = [f"{'target':<16} {'executions':>10} {'CPU s':>7} {'slowest s':>9} {'crashers':>8}"]
    for name, one in scores.items():
        row = f"{name:<16} {one.executions:>10} {one.seconds:>7.1f} {one.slowest:>9.3f} {len(one.crashes):>8}"
        lines.append(row)
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long")
    parser.add_argument("--target", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where crashers go")
    parser.add_argument("--round", type=int, default=ROUND, help="mutants of a target before it is the next one's turn")
    parser.add_argument("--replay", type=Path, help="read one file with the target given, and nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
