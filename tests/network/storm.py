"""Real agents behind a bad network: deployments go out and results come in while the weather changes.

with Storm(folder, seed=1, devices=3) as storm:
    storm.blow(Weather(cut=0.01), seconds=5)
    storm.settle()   # raises AssertionError unless every device and the control plane agree
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from pathlib import Path
from types import TracebackType

import msgspec

from lineside.agent.link import join_state
from lineside.agent.paths import Paths
from lineside.agent.status import Status, status
from lineside.client.own_component import add_component
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.reported import Phase
from lineside.contract.result import Result
from lineside.runtime.sinks.mqtt import MqttSettings, MqttSink
from lineside.runtime.spool import Entry
from tests.e2e.plant import GROUP, Plant, Station
from tests.eventually import PATIENCE, eventually
from tests.network.namespace import FarStation, Namespace
from tests.network.proxy import Proxy, Weather

NAME = "com.example.Payload"
RECIPE = """
RecipeFormatVersion: 2020-01-25
ComponentName: {name}
ComponentVersion: {version}
Manifests:
  - Platform: {{os: linux}}
    Lifecycle: {{Run: 'sleep 1000000'}}
    Artifacts: [{{URI: s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/payload.bin}}]
"""
PAYLOAD = 1 << 20
"""Bytes of the file that each version brings: enough for a connection to break in the middle of it."""
_SETTLE_SECONDS = 90.0


class Camera:
    """What the runtime does with results: kept until acknowledged, sent over its own connection."""

    def __init__(self, station: Station, host: str, port: int) -> None:
        paths = Paths(station.root)
        settings = MqttSettings(
            host=host, port=port, device=station.name, ca=paths.ca, certificate=paths.certificate, key=paths.key
        )
        self.made, self._device = 0, station.name
        self._waiting: list[Entry] = []
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._sink = MqttSink(settings)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def see(self, count: int) -> None:
        """Make so many results."""
        with self._lock:
            for _ in range(count):
                self.made += 1
                self._waiting.append(Entry(self.made, _result(self._device, self.made)))

    def close(self) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)
        self._sink.close(0.5)

    def _send(self) -> None:
        sent = 0
        while not self._ended.wait(0.05):
            with self._lock:
                arrived = set(self._sink.settled())
                self._waiting = [one for one in self._waiting if one.sequence not in arrived]
                ready = [one for one in self._waiting if one.sequence > sent][: self._sink.room()]
                self._sink.send(ready)
                sent = ready[-1].sequence if ready else sent


class Storm:
    """A plant whose devices reach it over `proxies` alone: one for the devices' API, one for the broker."""

    def __init__(self, folder: Path, seed: int, devices: int = 3, namespace: Namespace | None = None) -> None:
        """With a namespace, devices live there, and reach the plant by its cable instead of by proxies."""
        self._namespace = namespace
        self._folder, self._count, self._random = folder, devices, random.Random(seed)
        self._seed, self._version = seed, 0
        self._stack = contextlib.ExitStack()
        self.cameras: dict[str, Camera] = {}

    def __enter__(self) -> Storm:
        with contextlib.ExitStack() as stack:
            host = (
                ("--device-host", self._namespace.host, "--device-name", self._namespace.host)
                if self._namespace
                else ()
            )
            self.plant = stack.enter_context(Plant(self._folder, "--worker", "off", *host))
            overview = self.plant.client.overview()
            self.api = stack.enter_context(Proxy(_port(overview.device_url), self._seed))
            broker = self.plant.client.broker()
            assert broker.port is not None
            self.broker = stack.enter_context(Proxy(broker.port, self._seed + 1))
            for number in range(self._count):
                self._join(f"cell-{number}", stack)
            self.deploy()
            self.settle()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _join(self, name: str, stack: contextlib.ExitStack) -> None:
        if self._namespace is not None:
            far = FarStation(self._folder, name, self._namespace)
            joined = far.join(self.plant.token())
            assert joined.returncode == 0, joined.stdout + joined.stderr
            self.plant.stations.append(far)
            far.start()
            return
        station = Station(self._folder, name)
        token = msgspec.structs.replace(self.plant.token(), url=f"https://127.0.0.1:{self.api.port}")
        joined = station.join(token)
        assert joined.returncode == 0, joined.stdout + joined.stderr
        paths = Paths(station.root)
        state = msgspec.structs.replace(join_state.load(paths), mqtt_host="127.0.0.1", mqtt_port=self.broker.port)
        join_state.save(paths, state)
        self.plant.stations.append(station)
        station.start()
        camera = self.cameras[name] = Camera(station, "127.0.0.1", self.broker.port)
        stack.callback(camera.close)

    # --- what happens ---------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """A new version, with a file of its own, to every device."""
        self._version += 1
        folder = self._folder / f"v{self._version}"
        folder.mkdir()
        (folder / "payload.bin").write_bytes(os.urandom(PAYLOAD))
        (folder / "recipe.yaml").write_text(RECIPE.format(name=NAME, version=self.version))
        add_component(self.plant.client, folder / "recipe.yaml")
        spec = ComponentSpec(component_version=self.version)
        self.plant.client.deploy(DeploymentDocument(group_name=GROUP, components={NAME: spec}))

    @property
    def version(self) -> str:
        """The newest version."""
        return f"{self._version}.0.0"

    def blow(self, weather: Weather, seconds: float, broker: Weather | None = None) -> None:
        """This weather for so long, with results all the while and a deployment in its middle; the broker's may be
        another. Connections that stand break first."""
        self.api.weather, self.broker.weather = weather, broker or weather
        self.api.drop_all()
        self.broker.drop_all()
        pause = threading.Event()
        for part in range(4):
            for camera in self.cameras.values():
                camera.see(self._random.randint(1, 10))
            if part == 1:
                self.deploy()
            pause.wait(seconds / 4)

    def settle(self) -> None:
        """Fair weather; then every device runs the newest version, and the control plane knows the same as the device.

        Connections that hang are not ended here: whoever has one must find out.
        """
        self.api.weather = self.broker.weather = Weather()
        for station in self.plant.stations:
            eventually(lambda: self._agrees(station), _SETTLE_SECONDS)  # noqa: B023
        for name, camera in self.cameras.items():
            eventually(lambda: self._results(name) >= camera.made, _SETTLE_SECONDS)  # noqa: B023
            assert self._sequences(name) == list(range(1, camera.made + 1)), name

    def lost_and_doubled(self) -> tuple[int, int]:
        """How many of the results that were made are not there, and how many are there more than once."""
        found = {name: self._sequences(name) for name in self.cameras}
        there = {name: set(sequences) for name, sequences in found.items()}
        lost = sum(camera.made - len(there[name]) for name, camera in self.cameras.items())
        return lost, sum(len(found[name]) - len(there[name]) for name in found)

    def _agrees(self, station: Station) -> bool:
        shown, own = self.plant.shown(station), status(Paths(station.root))
        if shown.report is None or own.report is None or own.reports_waiting:
            return False
        theirs, ours = shown.report, own.report
        return (
            (theirs.revision, theirs.phase, theirs.running) == (ours.revision, ours.phase, ours.running)
            and theirs.revision == own.desired_revision == shown.desired_revision
            and theirs.phase is Phase.HEALTHY
            and [(one.name, one.version) for one in theirs.running] == [(NAME, self.version)]
            and _digests(own) == {(one.name, one.recipe_digest) for one in theirs.running}
        )

    def _results(self, device: str) -> int:
        return self.plant.client.results(device=device, limit=1).total

    def _sequences(self, device: str) -> list[int]:
        found: list[int] = []
        after = 0
        while page := self.plant.client.results(device=device, after=after, limit=1000).results:
            found += [stored.result.sequence for stored in page]
            after = page[-1].id
        return sorted(found)


def _digests(own: Status) -> set[tuple[str, str]]:
    return {(one.name, one.recipe_digest) for one in own.components}


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _result(device: str, sequence: int) -> bytes:
    return msgspec.json.encode(
        Result(
            device=device,
            model="tags",
            version=1,
            digest="sha256:" + "a" * 64,
            image=f"{sequence}.jpg",
            captured_at="2026-01-01T00:00:00.000Z",
            sequence=sequence,
            width=640,
            height=480,
            latency_ms=4.0,
        )
    )
