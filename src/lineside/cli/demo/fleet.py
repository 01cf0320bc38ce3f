"""The demo's devices: real agent processes that join with a token, each with its own key and folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lineside.cli.demo.plane import ControlPlane, last_words
from lineside.cli.demo.processes import Processes
from lineside.cli.demo.root import DemoRoot
from lineside.cli.twin_house import TwinHouse
from lineside.client import Client
from lineside.contract.device import Device, JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.twin import PROFILES

GROUP = "demo-line"
TWIN = "twin-1"
TWIN_PROFILE = "generic-x86"

_AGENT = (sys.executable, "-m", "lineside.agent")
_ROLE = "devices"
_JOIN_SECONDS = 60.0


def station(number: int) -> str:
    """The name of the demo's device with this number, counted from 1."""
    return f"tag-station-{number}"


class Fleet:
    """Joins devices, keeps their agents running, and knows where each has its folder."""

    def __init__(self, plane: ControlPlane, root: DemoRoot, processes: Processes) -> None:
        self._plane = plane
        self._root = root
        self._processes = processes
        self._twins = TwinHouse(root.devices, root.logs, processes)
        self.restarted: list[str] = []

    def start_twin(self) -> str:
        """Start the twin as `lineside twin start` does, unless it runs; how its limits are held."""
        profile = PROFILES[TWIN_PROFILE]
        if not self._twins.running():
            self._plane.ask(lambda client: self._twins.start(client, TWIN, profile))
        return self._twins.held(TWIN)

    def start(self, name: str) -> bool:
        """Join the device if it never did, and run its agent; answers whether it joined now."""
        known = {device.name for device in self._plane.ask(Client.devices)}
        joins = not (name in known and self._joined(name))
        if joins:
            self._join(name)
        self._processes.start(name, _ROLE, [*_AGENT, "run", "--root", str(self.root_of(name))], self._log(name))
        return joins

    def stations(self, wanted: int) -> tuple[str, ...]:
        """The demo's devices: as many as wanted, and whoever joined in an earlier demo on this root."""
        earlier = [d.name for d in self._plane.ask(Client.devices) if GROUP in d.groups and self._joined(d.name)]
        return tuple(dict.fromkeys([*(station(number + 1) for number in range(wanted)), *earlier]))

    def keep_running(self) -> None:
        """Start agents again that ended, as a service manager would."""
        for child in self._processes.ended(_ROLE):
            self._processes.restart(child)
            self.restarted.append(child.name)
        self._twins.keep_running()

    def root_of(self, name: str) -> Path:
        """The agent root of a device."""
        return self._root.device(name)

    def inbox_of(self, name: str) -> Path:
        """The folder in which a device finds pictures."""
        return self.root_of(name) / "inbox"

    def _joined(self, name: str) -> bool:
        return is_name(name) and (self.root_of(name) / "join.json").exists()  # the agent writes it last

    def _join(self, name: str) -> None:
        request = JoinTokenRequest(group=GROUP, uses=1, ttl_seconds=600)
        token = self._plane.ask(lambda client: client.create_join_token(request))
        log = self._log(name)
        program = [*_AGENT, "join", token.url, "--token", token.token, "--ca-sha256", token.ca_sha256]
        program += ["--root", str(self.root_of(name)), "--name", name, "--force"]
        try:
            status = self._processes.run(f"{name} joining", program, log, _JOIN_SECONDS)
        except TimeoutError:
            raise LinesideError(
                "demo.waited_in_vain", what=f"{name} to join", seconds=f"{_JOIN_SECONDS:.0f}", where=log
            ) from None
        if status != 0:
            raise LinesideError("demo.join_failed", device=name, why=last_words(log), log=log)

    def _log(self, name: str) -> Path:
        return self._root.logs / f"{name}.log"


def seen_since(devices: Sequence[Device], names: Sequence[str], moment: str) -> bool:
    """Whether all the named devices called the control plane after a moment (RFC 3339 in UTC)."""
    last = {device.name: device.last_seen or "" for device in devices}
    return all(last.get(name, "") > moment for name in names)


def released_digest(device: Device, model: str) -> str | None:
    """The digest of the model file that a device reports it runs."""
    running = device.report.running if device.report else ()
    return next((c.artifacts.get("model.onnx") for c in running if c.name == f"{model}.model"), None)
