"""A bus in a process of its own: prints `app`'s variables, then answers each line with its resident bytes."""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from pathlib import Path

from tests.agent.bus.harness import House


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "root").running() as house:
        sys.stdout.write(json.dumps(house.environment()) + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            sys.stdout.write(f"{resident()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
