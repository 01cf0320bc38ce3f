"""The component that `benchmarks.agent` measures the bus with: it sleeps until a file called `go` appears in its work
directory, then publishes as fast as answers come, one message after the other, and writes down how long each took."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

ROUNDS = 7


def message(number: int) -> dict[str, object]:
    """A JSON message of some 60 bytes."""
    return {"jsonMessage": {"message": {"number": number, "part": "M8 bolt", "good": True, "score": 0.97}}}


def publish(rounds_of: int) -> None:
    """Wait for the file, publish `ROUNDS` times so many messages, and stay."""
    while not Path("go").exists():
        time.sleep(1.0)
    from lineside.agent.bus.client import Client

    rates, slowest = [], []
    with Client() as bus:
        for _ in range(ROUNDS):
            times = []
            started = time.perf_counter()
            for number in range(rounds_of):
                before = time.perf_counter()
                bus.call("PublishToTopic", {"topic": "bench/count", "publishMessage": message(number)})
                times.append(time.perf_counter() - before)
            rates.append(rounds_of / (time.perf_counter() - started))
            slowest.append(statistics.quantiles(times, n=100)[98])
    Path("done.tmp").write_text(json.dumps({"rates": rates, "p99_ms": [1000 * one for one in slowest]}))
    Path("done.tmp").rename("done.json")
    while True:
        time.sleep(60.0)
