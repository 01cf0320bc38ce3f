"""A plant for tests of the whole: `lineside up`, agents and tiny models, in real processes below one folder.

with Plant(tmp_path) as plant:
    twin, station = plant.device("twin-1", twin=True), plant.device("cell-1")
    plant.wait_rolled_out(plant.deploy(plant.release("first")))
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import httpx
import msgspec

from lineside.cli.connection import of_root, read_server
from lineside.cli.options import ModelRef
from lineside.cli.release import release_document
from lineside.client import Client
from lineside.contract.deployment import Deployment, DeploymentPolicies
from lineside.contract.device import Device, JoinToken, JoinTokenRequest
from lineside.contract.event import Event
from lineside.contract.model import Decision, ModelState, ModelVersion
from lineside.contract.result import Result
from lineside.contract.rollout import RolloutState
from tests.e2e import processes, tiny
from tests.eventually import PATIENCE, eventually
from tests.frozen import frozen

GROUP = "line"
MODEL = "tags"

_BRISK = ("--poll-seconds", "0.5", "--soak-seconds", "0.3", "--twin-soak-seconds", "0.3")


class Station:
    """A device: one agent process after the other on one root."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.root, self.log = name, folder / "devices" / name, folder / "logs" / f"{name}.log"
        self.agent: subprocess.Popen[bytes] | None = None
        self._fed = 0

    def join(self, token: JoinToken, *options: str) -> subprocess.CompletedProcess[str]:
        """`lineside agent join`, run to its end."""
        program = ("lineside.cli", "agent", "join", token.url, "--token", token.token, "--json")
        where = ("--ca-sha256", token.ca_sha256, "--root", str(self.root), "--name", self.name)
        return processes.run(*program, *where, *options)

    def start(self) -> None:
        """`lineside agent run`."""
        self.agent = processes.start(("lineside.cli", "agent", "run", "--root", str(self.root)), self.log)

    def end(self, number: signal.Signals) -> int:
        """Send the agent a signal and wait for its end; the exit status."""
        assert self.agent is not None
        self.agent.send_signal(number)
        return self.agent.wait(PATIENCE)

    def kill(self) -> None:
        """kill -9."""
        self.end(signal.SIGKILL)

    def frozen(self) -> AbstractContextManager[None]:
        """The agent stands still as long as the context lasts."""
        return frozen(self.agent)

    def runtimes(self) -> list[int]:
        """Pids of the components that run on it."""
        return sorted(processes.about(self.root, "lineside.runtime run"))

    def feed(self, count: int) -> None:
        """Let so many pictures arrive in its inbox."""
        for _ in range(count):
            part = self.root / f"arriving-{self._fed}"
            part.write_bytes(tiny.picture(self._fed))
            part.rename(self.root / "inbox" / f"{self._fed:05d}.png")
            self._fed += 1

    @property
    def fed(self) -> int:
        """How many pictures it was given."""
        return self._fed


class Plant:
    """A control plane on ports of its own and its devices; leaving the context ends them and finds nothing left."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder, self.root = folder, folder / "root"
        people, devices, mqtt = processes.free_ports(3)
        ports = ("--port", str(people), "--device-port", str(devices), "--mqtt-port", str(mqtt))
        self.client = Client(f"http://127.0.0.1:{people}")  # a stranger until the first start has made a token
        self.stations: list[Station] = []
        self.server = 0  # its pid
        self._first = (*ports, *_BRISK, *settings)
        self._later = (*_BRISK, *settings)  # the ports are remembered
        self._up: subprocess.Popen[bytes] | None = None
        self._ups = 0

    # --- the control plane ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """`lineside up`, until it says that it is up."""
        log = self.folder / "logs" / f"up-{self._ups}.log"
        settings = self._later if self._ups else self._first
        self._ups += 1
        up = processes.start(("lineside.cli", "up", "--root", str(self.root), *settings), log)
        self._up = up
        eventually(lambda: "Ctrl-C ends it" in log.read_text() or up.poll() is not None)
        assert up.poll() is None, log.read_text()
        found = read_server(self.root)
        assert found is not None
        assert found.people_url == self.client.url
        self.server = found.pid
        near = of_root(self.root)
        assert near is not None
        self.client = near.client()

    def kill(self) -> None:
        """kill -9 of the server; `lineside up` has nothing left to stay with."""
        assert self._up is not None
        os.kill(self.server, signal.SIGKILL)
        assert self._up.wait(PATIENCE) == 128 + signal.SIGKILL

    def stop(self) -> None:
        """SIGTERM, as a service manager would."""
        assert self._up is not None
        self._up.terminate()
        assert self._up.wait(PATIENCE) == 0

    def workers(self) -> list[int]:
        """Pids of the pipeline workers of this root."""
        return sorted(processes.about(self.root, "lineside.pipeline"))

    # --- models and deployments -----------------------------------------------------------------------------------

    def release(self, variety: str, side: int = tiny.SIDE) -> ModelVersion:
        """Register a tiny model, wait for the twin, approve it. `side`: pixels of its input, see `tiny.network`."""
        made = tiny.register(self.client, MODEL, variety, side=side)
        waiting = (ModelState.CANDIDATE, ModelState.IN_TWIN)
        eventually(lambda: self.client.model(made.name, made.version).state not in waiting)
        return self.client.approve_model(made.name, made.version, Decision())

    def deploy(
        self,
        model: ModelVersion,
        *,
        policy: str = "ROLLBACK",
        topic: str = "",
        capture: Mapping[str, object] | None = None,
        sources: Mapping[str, object] | None = None,
        memory_mb: int | None = None,
    ) -> Deployment:
        """Deploy a released model to the plant's group; without `capture` it keeps no images, without `sources` its
        images come from the inbox, without `memory_mb` it may use what there is."""
        merge = {"capture": capture, "threads": 1} | ({"topic": topic} if topic else {})
        merge |= {"sources": sources} if sources else {}
        merge |= {"memory_mb": memory_mb} if memory_mb else {}
        document = release_document(self.client.components(), GROUP, ModelRef(model.name, model.version), merge)
        policies = DeploymentPolicies(failure_handling_policy=policy)
        return self.client.deploy(msgspec.structs.replace(document, deployment_policies=policies))

    def wait_rolled_out(self, deployment: Deployment) -> None:
        """Wait until a deployment's rollout has succeeded."""
        eventually(lambda: self.client.rollout(deployment.rollout).state is RolloutState.SUCCEEDED)

    # --- devices --------------------------------------------------------------------------------------------------

    def token(self, *, group: str = GROUP, twin: bool = False, ttl: int = 600, uses: int = 1) -> JoinToken:
        """A join token for a group, or for a twin."""
        return self.client.create_join_token(JoinTokenRequest(group=group, uses=uses, ttl_seconds=ttl, twin=twin))

    def device(self, name: str, *, group: str = GROUP, twin: bool = False) -> Station:
        """Join a device and run its agent."""
        station = Station(self.folder, name)
        joined = station.join(self.token(group=group, twin=twin), *(["--twin"] if twin else []))
        assert joined.returncode == 0, joined.stdout + joined.stderr
        self.stations.append(station)
        station.start()
        return station

    def shown(self, station: Station) -> Device:
        """The device as the control plane shows it."""
        return self.client.device(station.name)

    def runs(self, station: Station, model: ModelVersion) -> bool:
        """Whether the device is healthy and runs the model's very file."""
        device = self.shown(station)
        running = device.report.running if device.report else ()
        return device.healthy and any(one.artifacts.get("model.onnx") == model.digest for one in running)

    def wait_runs(self, station: Station, model: ModelVersion) -> None:
        """Wait until it does."""
        eventually(lambda: self.runs(station, model))

    # --- what is seen ---------------------------------------------------------------------------------------------

    def results(self, station: Station) -> list[Result]:
        """Every result of a device, in the order of arrival."""
        page = self.client.results(device=station.name, after=0, limit=1000)
        assert page.total == len(page.results)
        return [stored.result for stored in page.results]

    def wait_results(self, station: Station) -> list[Result]:
        """Results of all that the device was fed, each exactly once, numbered without a gap."""
        eventually(lambda: self.client.results(device=station.name, limit=1).total >= station.fed)
        found = self.results(station)
        assert sorted(result.sequence for result in found) == list(range(1, station.fed + 1))
        assert len({result.image for result in found}) == station.fed
        return found

    def refusals(self, code: str) -> list[Event]:
        """Events that tell of an error code, newest first."""
        return [event for event in self.client.events(limit=1000).events if event.error and event.error.code == code]

    @property
    def local(self) -> dict[str, str]:
        """Headers that say: whoever can read the root."""
        return {"Authorization": f"Bearer {(self.root / 'keys' / 'local.token').read_text().strip()}"}

    def page(self, path: str) -> str:
        """A page of the dashboard, as a browser gets it."""
        answer = httpx.get(self.client.url + path, headers=self.local)
        answer.raise_for_status()
        return answer.text

    # --- the end --------------------------------------------------------------------------------------------------

    def __enter__(self) -> Plant:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        children = [station.agent for station in self.stations if station.agent] + ([self._up] if self._up else [])
        for child in children:
            child.terminate()
        try:
            for child in children:
                child.wait(PATIENCE)
        finally:
            left = processes.about(self.folder)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            for child in children:
                child.wait()
        assert left == {}, left
