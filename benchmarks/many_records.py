"""What benchmarks of a million records share: a database that is filled once, and questions timed by two clocks."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import table
from lineside.server.services import Core
from lineside.server.testing import make_core

MILLISECONDS = 200.0
"""What a list or the queue may take, by issue 8."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Milliseconds a question takes: the median and the slowest on the wall, and the median of this process's CPU."""

    median_ms: float
    slowest_ms: float
    cpu_ms: float


def arguments(description: str, program: str, quick: int) -> argparse.Namespace:
    """`--records`, `--quick`, `--json`, `--database-url`, `--keep`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help=f"{quick:,} records")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--database-url", default="", help="another database than SQLite in a folder; an empty one")
    parser.add_argument("--keep", type=Path, help="a folder whose database is filled the first time, and kept")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.records = quick
    return chosen


@contextmanager
def filled(chosen: argparse.Namespace, fill: Callable[[Core, int], None]) -> Iterator[Core]:
    """A control plane's core whose database `fill` has filled, now or at an earlier run that kept it. Raises SystemExit
    where another number of records is kept."""
    with tempfile.TemporaryDirectory(prefix="lineside-records-") as folder:
        root: Path = chosen.keep or Path(folder)
        core = make_core(root, database_url=chosen.database_url)
        try:
            done = root / "filled"
            if not done.exists():
                fill(core, chosen.records)
                _analyse(core)
                done.write_text(str(chosen.records))
            elif done.read_text() != str(chosen.records):
                raise SystemExit(f"{root} holds {done.read_text()} records")
            yield core
        finally:
            core.database.close()


def _analyse(core: Core) -> None:
    """What autovacuum does within a minute; SQLite is left as it is when Lineside uses it."""
    if core.database.shared:
        with core.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def asked(ask: Callable[[int], object], times: int) -> Asked:
    """Ask so many times; `ask` gets the number of the time. The first time counts, too."""
    walls, cpus = [], []
    for number in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        ask(number)
        cpus.append(1000 * (time.process_time() - cpu))
        walls.append(1000 * (time.perf_counter() - began))
    return Asked(round(statistics.median(walls), 1), round(max(walls), 1), round(statistics.median(cpus), 1))


def told(found: Mapping[str, Asked]) -> str:
    """A line a question."""
    rows = [("question", "median ms", "slowest", "CPU")]
    rows += [(name, f"{one.median_ms}", f"{one.slowest_ms}", f"{one.cpu_ms}") for name, one in found.items()]
    return table(rows)


def report(found: Mapping[str, Asked], records: int) -> dict[str, object]:
    """The figures that count, and all of them."""
    return {
        "records": records,
        "slowest_median_ms": max(one.median_ms for one in found.values()),
        "slowest_ms": max(one.slowest_ms for one in found.values()),
        "limit_ms": MILLISECONDS,
        "questions": {name: asdict(one) for name, one in found.items()},
    }
