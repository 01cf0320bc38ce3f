"""Two control planes as people set them up: one database, one object store, each its own root, the keys copied."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import select

from lineside.client import Client
from lineside.contract.desired import Desired
from lineside.contract.device import AccessToken, JoinAnswer, JoinRequest, TokenRequest
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent, ReportsRequest
from lineside.server.clock import SystemClock
from lineside.server.database import Database
from lineside.server.loops.lease import LeaseRow, home_of
from lineside.server.testing_device import make_assertion, make_csr, make_key
from tests.eventually import PATIENCE
from tests.server.processes import ControlPlaneProcess

FREE = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")
NOW = "2026-01-01T00:00:00.000Z"


def start(root: Path, url: str, *settings: str, worker: str = "off") -> ControlPlaneProcess:
    """A control plane on the database."""
    return ControlPlaneProcess(root, *FREE, "--database-url", url, *settings, worker=worker)


def share(first: Path, second: Path) -> None:
    """What the second root needs of the first: R/keys, and the same objects."""
    second.mkdir()
    shutil.copytree(first / "keys", second / "keys")
    (second / "objects").symlink_to(first / "objects")


def client(plane: ControlPlaneProcess) -> Client:
    """The people's API, as whoever can read the root."""
    return Client(plane.url, (plane.root / "keys" / "local.token").read_text().strip())


def holders(url: str) -> dict[str, str]:
    """Who has which lease: the root's place by the loop's name."""
    database = Database(url)
    with database.read() as session:
        found = {row.name: row.holder.rpartition("#")[0] for row in session.scalars(select(LeaseRow))}
    database.close()
    return found


def home(plane: ControlPlaneProcess) -> str:
    """How a control plane is called there."""
    return home_of(plane.root)


class Device:
    """A device that talks to whichever control plane it is told to."""

    def __init__(self, plane: ControlPlaneProcess, name: str, group: str) -> None:
        """Join at one of them."""
        self.name, self._key, self._sequence = name, make_key(), 0
        self._http = httpx.Client(
            verify=ssl.create_default_context(cafile=str(plane.root / "keys" / "ca.pem")), timeout=PATIENCE
        )
        token = plane.post("/devices/tokens", {"group": group})["token"]
        request = JoinRequest(token=token, name=name, csr=make_csr(self._key, name))
        answer = self._post(plane, "/join", request)
        self.joined = msgspec.json.decode(answer, type=JoinAnswer)
        assertion = make_assertion(self._key, name, SystemClock().now().timestamp())
        token = msgspec.json.decode(
            self._post(plane, "/token", TokenRequest(client_assertion=assertion)), type=AccessToken
        )
        self._headers = {"Authorization": f"Bearer {token.access_token}"}

    def get(self, plane: ControlPlaneProcess, path: str) -> httpx.Response:
        """GET below /device/v1 with the token of the one it joined at."""
        found = self._http.get(f"{plane.found['device_url']}/device/v1{path}", headers=self._headers)
        found.raise_for_status()
        return found

    def desired(self, plane: ControlPlaneProcess) -> Desired:
        """What it should run."""
        return msgspec.json.decode(self.get(plane, "/desired").content, type=Desired)

    def report(self, plane: ControlPlaneProcess, phase: Phase = Phase.HEALTHY) -> None:
        """Say that it runs what it should."""
        wanted = self.desired(plane)
        running = tuple(
            ReportedComponent(
                name=one.name, version=one.version, recipe_digest=one.recipe_digest, state=ComponentState.RUNNING
            )
            for one in wanted.components
        )
        self._sequence += 1
        said = Report(
            device=self.name, sequence=self._sequence, at=NOW, revision=wanted.revision, phase=phase, running=running
        )
        self._post(plane, "/reports", ReportsRequest(reports=(said,)), self._headers)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _post(self, plane: ControlPlaneProcess, path: str, body: Any, headers: dict[str, str] | None = None) -> bytes:
        url = f"{plane.found['device_url']}/device/v1{path}"
        answer = self._http.post(url, content=msgspec.json.encode(body), headers=headers)
        answer.raise_for_status()
        return answer.content
