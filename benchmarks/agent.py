"""What the agent costs a device that has nothing to do, how soon it is up, and how much its local bus carries.

A real agent process, joined to a control plane over TLS, its MQTT connection (TLS, its own certificate) to a Mosquitto,
the local bus running, two components managed, polls every 30 s. Memory and CPU are the agent's own process, from /proc,
after it has been idle; what its components use is theirs, what its short-lived children use is its own. `start_s`: from
exec to the first question to the control plane. The bus is measured from within a component: one connection, each
publish waits for its answer, nobody is subscribed; beside it the same round trips through a plain Python echo over a
unix socket, which is the most that Python could give.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.agent.agents import AgentProcess, wait_for
from tests.agent.broker import Mosquitto
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane

from benchmarks.measure import finish, options, table
from lineside.contract import topics
from lineside.contract.reported import Phase

HERE = Path(__file__).resolve().parents[1]
POLL_SECONDS = 30.0
_TICK = os.sysconf("SC_CLK_TCK")
_FIELDS = {"Rss": "rss_mb", "Pss": "pss_mb", "Private_Dirty": "private_mb"}


def memory(pid: int) -> dict[str, float]:
    """Megabytes (2^20) of one process: all resident, its share of what is shared, and what is its alone."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name = line.partition(":")[0]
        if name in _FIELDS:
            found[_FIELDS[name]] = int(line.split()[1]) / 1024
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has used, its ended children's too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICK


def idle(pid: int, windows: int, seconds: float) -> tuple[list[dict[str, float]], list[float]]:
    """Memory after, and percent of one core during each window."""
    memories, percents = [], []
    for _ in range(windows):
        before, began = cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        percents.append(100 * (cpu_seconds(pid) - before) / (time.monotonic() - began))
        memories.append(memory(pid))
    return memories, percents


class Bench:
    """A control plane, a broker and a device with two components."""

    def __init__(self, folder: Path, publishes: int) -> None:
        self.plane = ControlPlane(folder)
        self.agent = AgentProcess(folder / "cell-1", self.plane)
        self.agent.join()
        self.broker = Mosquitto(self.plane, folder / "broker") if shutil.which("mosquitto", path=_PATH) else None
        if self.broker is not None:
            self.broker.start()
            self.broker.used_by(self.agent)
        program = f"from benchmarks.agent_publisher import publish; publish({publishes})"
        publisher = recipe("publisher", Run=f"exec {sys.executable} -c '{program}'")
        publisher["Manifests"][0]["Lifecycle"]["Setenv"] = {"PYTHONPATH": f"{HERE}/src:{HERE}"}
        publisher["ComponentConfiguration"] = {"DefaultConfiguration": {"accessControl": _POLICY}}
        components = [self.plane.release(one) for one in (recipe("camera"), publisher)]
        self.revision = self.plane.want(*components, poll_seconds=POLL_SECONDS)

    def begin(self) -> int:
        """Start the agent, and wait until it is healthy and hears hints; its pid."""
        pid = self.agent.start().pid
        self.plane.wait_report(self.revision, Phase.HEALTHY, timeout=60)
        if self.broker is not None:
            client = self.broker.client("hinter")
            before = self.plane.served["desired"]
            hint = topics.hint("cell-1")

            def heard() -> bool:
                client.publish(hint, b"", qos=1)
                time.sleep(0.2)
                return self.plane.served["desired"] > before

            wait_for(heard)
            client.disconnect()
            client.loop_stop()
        return pid

    def restarts(self, times: int) -> list[float]:
        """Seconds from exec to the first question to the control plane."""
        found = []
        for _ in range(times):
            self.agent.end()
            before, began = self.plane.served["desired"], time.perf_counter()
            self.agent.start()
            while self.plane.served["desired"] == before:
                time.sleep(0.001)
            found.append(time.perf_counter() - began)
            self._healthy_again(len(self.plane.reports))
        return found

    def _healthy_again(self, known: int) -> None:
        wait_for(lambda: any(one.phase is Phase.HEALTHY for one in self.plane.reports[known:]), 60)

    def publishes(self) -> dict[str, list[float]]:
        """Let the component publish; what it wrote down."""
        work = self.agent.paths.work("publisher")
        (work / "go").touch()
        done: dict[str, list[float]] = json.loads(
            wait_for(lambda: (work / "done.json").exists() and (work / "done.json").read_text(), 120)
        )
        return done

    def close(self) -> None:
        """End everything."""
        if self.agent.process is not None:
            self.agent.end()
        if self.broker is not None:
            self.broker.kill()
        self.plane.close()


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
_POLICY = {"aws.greengrass.ipc.pubsub": {"bench": {"operations": ["*"], "resources": ["*"]}}}


def echo_rates(folder: Path, rounds: int, calls: int, sizes: tuple[int, int] = (330, 120)) -> list[float]:
    """Round trips a second through a thread that answers, over a unix socket: frames as large as the bus's, no more."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "echo"))
    listener.listen()
    asked, answered = sizes

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while _exactly(connection.recv, asked):
                connection.sendall(bytes(answered))

    threading.Thread(target=serve, daemon=True).start()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(folder / "echo"))
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            client.sendall(bytes(asked))
            _exactly(client.recv, answered)
        rates.append(calls / (time.perf_counter() - began))
    client.close()
    listener.close()
    return rates


def _exactly(receive: Callable[[int], bytes], count: int) -> bool:
    while count > 0:
        data = receive(count)
        if not data:
            return False
        count -= len(data)
    return True


def _row(name: str, values: Sequence[float], digits: int = 1) -> tuple[str, str, str, str]:
    return (name, *(f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))))


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder, publishes=300 if chosen.quick else 1500)
        try:
            pid = bench.begin()
            time.sleep(15.0)  # until the processes that judged the deployment have ended
            memories, percents = idle(pid, 2 if chosen.quick else 5, 10.0 if chosen.quick else 30.0)
            done = bench.publishes()
            after = memory(pid)["rss_mb"]
            starts = bench.restarts(3 if chosen.quick else 7)
        finally:
            bench.close()
        echoes = echo_rates(folder, 5, 2000)
    if bench.broker is None:
        print("No Mosquitto here: the agent was measured without an MQTT connection.")
    rss, pss = ([one[field] for one in memories] for field in ("rss_mb", "pss_mb"))
    rows = [("quantity", "median", "from", "to"), _row("resident MB", rss), _row("proportional MB", pss)]
    rows += [_row("idle CPU %", percents, 2), _row("start s", starts, 2), _row("publishes / s", done["rates"], 0)]
    rows += [_row("publish p99 ms", done["p99_ms"], 2), _row("plain echoes / s", echoes, 0)]
    print(table(rows))
    report = {
        "rss_mb": round(statistics.median(rss), 1),
        "pss_mb": round(statistics.median(pss), 1),
        "rss_after_bus_mb": round(after, 1),
        "idle_cpu_percent": round(statistics.median(percents), 2),
        "start_s": round(statistics.median(starts), 2),
        "bus_publishes_per_s": round(statistics.median(done["rates"])),
        "bus_p99_ms": round(statistics.median(done["p99_ms"]), 2),
        "bus_of_echo": round(statistics.median(done["rates"]) / statistics.median(echoes), 3),
        "mqtt_tls": bench.broker is not None,
        "components": 2,
    }
    finish(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
