"""Many uploads over a lossy link, agent and control plane killed at random: `python -m benchmarks.uploads`.

Real agents send images through a proxy that cuts, stalls and slows connections. Whenever up to `--between` images have
gone since the last time, one of the agents or the control plane, or nobody, is killed with SIGKILL. At the end each
image must be there once: none lost, none doubled, each with its bytes.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
from tests.e2e.plant import Plant, Station
from tests.network.proxy import Proxy, Weather

from benchmarks.measure import finish
from lineside.agent.link import join_state
from lineside.agent.paths import Paths
from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of

_MANY = 1000  # images that wait at once, of all devices
_LOSSY = Weather(latency=0.005, bandwidth=4_000_000, stall=0.005, stall_seconds=0.3, cut=0.003, deaf=0.05)
_SLOW = 60.0
_PATIENCE = 300.0  # seconds without an image that came


def main() -> int:
    """Print the figures; 1 when an image was lost, doubled or changed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploads")
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--bytes", type=int, default=60_000, help="of an image, about")
    parser.add_argument("--between", type=int, default=200, help="images between two kills, at most")
    parser.add_argument("--cut", type=float, default=_LOSSY.cut, help="how often 4 KiB end a connection")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="200 uploads")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    count = 200 if options.quick else options.uploads
    with tempfile.TemporaryDirectory(prefix="lineside-uploads-") as folder:
        report = _run(Path(folder), count, options)
    finish(report, as_json=options.json)
    return int(any(report[name] for name in ("lost", "doubled", "changed")))


def _run(folder: Path, count: int, options: argparse.Namespace) -> dict[str, object]:
    dice, most = random.Random(options.seed), max(1, min(options.between, count // 10))
    plant = Plant(folder, "--worker", "off", "--captures-per-day", str(count + 1000))
    made: dict[str, str] = {}
    kills: Counter[str] = Counter()
    with plant, Proxy(int(plant.client.overview().device_url.rpartition(":")[2]), 1) as proxy:
        for number in range(options.devices):
            _join(plant, folder, proxy, f"cell-{number}")
        began = time.monotonic()
        proxy.weather = replace(_LOSSY, cut=options.cut)
        while len(made) < count or _waiting(plant):
            for _ in range(min(count - len(made), _MANY - _waiting(plant))):
                made |= _kept(dice.choice(plant.stations), dice, options.bytes)
            _wait(plant, dice.randint(1, most), dice.uniform(1.0, 6.0))
            print(f"{time.monotonic() - began:.0f} s: {len(made) - _waiting(plant)} gone", file=sys.stderr, flush=True)
            _kill(plant, kills, dice)
            if time.monotonic() - began > _PATIENCE + count:
                break
        seconds = time.monotonic() - began
        proxy.weather = Weather()
        return _judged(plant, made) | {"seconds": round(seconds, 1), "kills": dict(kills), "cut": proxy.counted["cut"]}


def _join(plant: Plant, folder: Path, proxy: Proxy, name: str) -> None:
    station = Station(folder, name)
    joined = station.join(msgspec.structs.replace(plant.token(), url=f"https://127.0.0.1:{proxy.port}"))
    if joined.returncode:
        raise RuntimeError(joined.stdout + joined.stderr)
    paths = Paths(station.root)
    join_state.save(paths, msgspec.structs.replace(join_state.load(paths), mqtt_host=None, mqtt_port=None))
    plant.stations.append(station)
    _captures(station).mkdir(parents=True, exist_ok=True)
    station.start()


def _captures(station: Station) -> Path:
    return Paths(station.root).captures


def _waiting(plant: Plant) -> int:
    """Images that wait, on all devices."""
    return sum(len(list(_captures(station).glob("*.json"))) for station in plant.stations)


def _wait(plant: Plant, settled: int, seconds: float) -> None:
    """Wait a while, and until so many images have gone or a minute is over: a machine may be slow to start."""
    began, before = time.monotonic(), _waiting(plant)
    while (passed := time.monotonic() - began) < seconds or passed < _SLOW:
        gone = before - _waiting(plant)
        if passed >= seconds and (gone >= settled or gone == before):
            return
        time.sleep(0.1)


def _kept(station: Station, dice: random.Random, size: int) -> dict[str, str]:
    """One image more, as a runtime leaves it; its digest by its id."""
    folder = _captures(station)
    data = b"\xff\xd8" + os.urandom(dice.randint(size // 2, 3 * size // 2))
    record = CaptureRecord(
        id=uuid.uuid4().hex,
        device=station.name,
        digest=digest_of(data),
        size=len(data),
        content_type="image/jpeg",
        strategy="random",
        reason="One of many.",
        captured_at="2026-01-01T00:00:00.000Z",
    )
    (folder / f"{record.id}.bin").write_bytes(data)
    part = folder / f".{record.id}.tmp"
    part.write_bytes(msgspec.json.encode(record))
    part.rename(folder / f"{record.id}.json")
    return {record.id: record.digest}


def _kill(plant: Plant, kills: Counter[str], dice: random.Random) -> None:
    """Kill an agent, the control plane or nobody, and start what was killed."""
    whom = dice.choice(("agent", "agent", "control plane", "nobody"))
    kills[whom] += 1
    if whom == "agent":
        station = dice.choice(plant.stations)
        station.kill()
        station.start()
    elif whom == "control plane":
        plant.kill()
        plant.start()


def _judged(plant: Plant, made: dict[str, str]) -> dict[str, object]:
    """What came, held against what was made."""
    came: Counter[str] = Counter()
    changed, before = 0, None
    while True:
        page = plant.client.captures(before=before, limit=1000)
        for capture in page.captures:
            record = capture.record
            came[record.id] += 1
            changed += digest_of(plant.client.get_blob(record.digest)) != made.get(record.id)
        before = page.next
        if before is None:
            break
    lost = len(made.keys() - came.keys())
    doubled = sum(count - 1 for count in came.values())
    return {"uploads": len(made), "lost": lost, "doubled": doubled, "changed": changed}


if __name__ == "__main__":
    raise SystemExit(main())
