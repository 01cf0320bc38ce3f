"""A network namespace for devices, joined to this machine by one cable whose quality can be set. Needs root and `ip`.

The cable is a veth pair. Token buckets (tc-tbf) limit its rate and drop what does not fit in their queue, so packets
are lost for real; netem adds random loss and delay where the kernel has it. A cable that is down says nothing to
anybody.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lineside.contract.device import JoinToken
from tests.e2e import processes
from tests.e2e.plant import Station
from tests.eventually import PATIENCE

_NUMBER = os.getpid() % 250


def reason_against() -> str:
    """Why namespaces cannot be used here; empty when they can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if not (shutil.which("ip") and shutil.which("tc")):
        return "iproute2 is not installed"
    tried = subprocess.run(
        ["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", *_bucket(1000, 10)], check=False
    )
    return "" if tried.returncode == 0 else "network namespaces or tc-tbf are not permitted here"


class Namespace:
    """Entered: the namespace is there and reaches this machine at `host`."""

    def __init__(self) -> None:
        self.name = f"lineside-{os.getpid()}"
        self.host, self._guest = f"10.213.{_NUMBER}.1", f"10.213.{_NUMBER}.2"
        self._near, self._far = f"lsa{_NUMBER}", f"lsb{_NUMBER}"

    @property
    def inside(self) -> tuple[str, ...]:
        """What stands before a command that runs there."""
        return ("ip", "netns", "exec", self.name)

    def __enter__(self) -> Namespace:
        try:
            _run("ip", "netns", "add", self.name)
            _run("ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.name)
            _run("ip", "address", "add", f"{self.host}/30", "dev", self._near)
            _run("ip", "link", "set", self._near, "up")
            _run(*self.inside, "ip", "address", "add", f"{self._guest}/30", "dev", self._far)
            _run(*self.inside, "ip", "link", "set", self._far, "up")
            _run(*self.inside, "ip", "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for command in (("ip", "link", "del", self._near), ("ip", "netns", "del", self.name)):
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL)

    def narrow(self, kbit: int, queue: int) -> None:
        """So many kbit/s each way, and what does not fit in `queue` bytes is lost."""
        for side in self._sides():
            _run(*side, "root", *_bucket(kbit, queue))

    def lossy(self, percent: float, delay_ms: int) -> bool:
        """Random loss and delay each way; False where the kernel has no netem."""
        loss = ("root", "netem", "loss", f"{percent}%", "delay", f"{delay_ms}ms")
        done = [subprocess.run([*side, *loss], check=False, stderr=subprocess.DEVNULL) for side in self._sides()]
        return all(one.returncode == 0 for one in done)

    def clear(self) -> int:
        """A good cable again; how many packets the last one has lost."""
        lost = 0
        for side in self._sides("del"):
            command = [*side[:-4], "-s", "qdisc", "show", *side[-2:]]
            shown = subprocess.run(command, check=True, capture_output=True)
            lost += sum(int(number) for number in re.findall(rb"dropped (\d+)", shown.stdout))
            subprocess.run([*side, "root"], check=False, stderr=subprocess.DEVNULL)
        return lost

    def plugged(self, there: bool) -> None:
        """Pull the cable, or put it back."""
        _run(*self.inside, "ip", "link", "set", self._far, "up" if there else "down")

    def _sides(self, verb: str = "replace") -> tuple[tuple[str, ...], ...]:
        return (
            ("tc", "qdisc", verb, "dev", self._near),
            (*self.inside, "tc", "qdisc", verb, "dev", self._far),
        )


class FarStation(Station):
    """A device whose agent runs in the namespace."""

    def __init__(self, folder: Path, name: str, namespace: Namespace) -> None:
        super().__init__(folder, name)
        self._inside = namespace.inside

    def join(self, token: JoinToken, *options: str) -> subprocess.CompletedProcess[str]:
        command = [*self._inside, sys.executable, "-m", "lineside.cli", "agent", "join", token.url, "--json"]
        command += ["--token", token.token, "--ca-sha256", token.ca_sha256]
        command += ["--root", str(self.root), "--name", self.name, *options]
        environment = processes.environment()
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [*self._inside, sys.executable, "-m", "lineside.cli", "agent", "run", "--root", str(self.root)]
        with self.log.open("ab") as log:
            self.agent = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=processes.environment(),
                start_new_session=True,
            )


def _bucket(kbit: int, queue: int) -> tuple[str, ...]:
    return ("tbf", "rate", f"{kbit}kbit", "burst", "3200", "limit", str(queue))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
