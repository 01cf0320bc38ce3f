"""A fleet of simulated devices against a real control plane, and the same check-in written the usual way beside it.

Devices speak the real protocol over TLS: assertions signed with their own keys, access tokens, conditional requests,
reports, one kept connection each; their disks and models are made up. They are put into the database with keys, signing
requests and certificates of their own rather than joined one by one. A check-in is: ask for the desired document, renew
the access token when it is due (every 9.5 minutes), report when there is news (at least every 5 minutes).

1. The cost: 8 devices ask again as soon as they are answered, of Lineside and of `benchmarks.fleet.usual` in turn.
   CPU seconds are those of the server's process, as the kernel counts them.
2. The fleet: every device connects, then checks in once an interval with an agent's jitter.
3. A rollout to all of them without a broker, while they go on checking in.
4. A rollout with Mosquitto: as many MQTT connections over TLS, each with its device's certificate; from the request to
   deploy to the last device's hint.

    python -m benchmarks.fleet --devices 10000 --quick --json
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from pathlib import Path

import uvloop

from benchmarks.fleet.process import allow_many_files
from benchmarks.fleet.story import Story
from benchmarks.measure import finish


def main() -> None:
    """Run it, print the tables and what counts."""
    options = _options()
    allow_many_files()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if options.devices + 200 > most:
        raise SystemExit(f"{options.devices} connections need as many open files; the limit here is {most} (ulimit -n)")
    folder = Path(tempfile.mkdtemp(prefix="lineside-fleet-"))
    try:
        report = uvloop.run(Story(options, folder).run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    finish(report, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--devices", type=int, default=10_000, help="how many devices (10000)")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two check-ins of a device (60)")
    parser.add_argument("--database-url", default="", help="a PostgreSQL in place of SQLite; it must be empty")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and one interval rather than five")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
