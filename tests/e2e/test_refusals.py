"""A control plane that somebody tampered with, and join tokens that are no good any more.

Each is refused with a code of its own that the dashboard shows; version 1 keeps running and publishing; and once the
control plane is right again, the device becomes what it should be by itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.component import Component
from lineside.contract.ids import digest_of
from lineside.contract.model import ModelVersion
from lineside.contract.reported import Phase
from lineside.contract.rollout import RolloutState
from tests.e2e import documents
from tests.e2e.plant import MODEL, Plant, Station
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]


class Line:
    """One device in front of which a control plane goes bad."""

    def __init__(self, plant: Plant, station: Station, first: ModelVersion, early: bytes) -> None:
        self.plant, self.station, self.first = plant, station, first
        self.early = early  # timestamp.json of a time when no model was released; it names the snapshot of that time

    def back_to_version_1(self) -> None:
        """Version 1 healthy, as each story begins."""
        self.plant.wait_rolled_out(self.plant.deploy(self.first))
        self.plant.wait_runs(self.station, self.first)

    @contextlib.contextmanager
    def offered(self, model: ModelVersion, file: Path, data: bytes) -> Iterator[None]:
        """Deploy while all is right, for the control plane deploys nothing that is not; then put `data` into a file, as
        long as the context lasts. Whoever refuses it tries again later, as the deployment is to be left as it is."""
        with contextlib.ExitStack() as stack:
            with self.station.frozen():
                self.plant.deploy(model, policy="DO_NOTHING")
                stack.enter_context(_replaced(file, data))
            yield

    def refused(self, code: str) -> None:
        """The device refuses with this code, and it shows; version 1 still runs and publishes."""
        (runtime,) = self.station.runtimes()
        report = eventually(lambda: self._report(code))
        assert [one.artifacts.get("model.onnx") for one in report.running if one.artifacts.get("model.onnx")] == [
            self.first.digest
        ]
        self.still_publishes()
        assert self.station.runtimes() == [runtime]
        assert self.plant.refusals(code)[0].subject == self.station.name
        for page in ("/events", f"/devices/{self.station.name}"):
            assert code in self.plant.page(page)

    def still_publishes(self) -> None:
        """A picture that arrives now is decided by version 1."""
        self.station.feed(1)
        assert self.plant.wait_results(self.station)[-1].digest == self.first.digest

    def _report(self, code: str) -> Any:
        report = self.plant.shown(self.station).report
        good = report is not None and report.phase is Phase.REFUSED and report.error and report.error.code == code
        return report if good else None


@pytest.fixture(scope="module")
def whole_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with Plant(tmp_path_factory.mktemp("plant"), "--worker", "off") as plant:
        early = (plant.root / "tuf" / "timestamp.json").read_bytes()
        plant.device("twin-1", twin=True)
        station = plant.device("cell-1")
        first = plant.release("first")
        plant.wait_rolled_out(plant.deploy(first))
        plant.wait_runs(station, first)
        yield Line(plant, station, first, early)


@pytest.fixture
def line(whole_line: Line) -> Line:
    whole_line.back_to_version_1()
    return whole_line


def _object(plant: Plant, digest: str) -> Path:
    value = digest.removeprefix("sha256:")
    return plant.root / "objects" / "sha256" / value[:2] / value


@contextlib.contextmanager
def _replaced(file: Path, data: bytes) -> Iterator[None]:
    """Another file in the place of one, as long as the context lasts."""
    right = file.read_bytes()
    assert data != right
    file.write_bytes(data)
    try:
        yield
    finally:
        file.write_bytes(right)


def _component(plant: Plant, model: ModelVersion) -> Component:
    wanted = (f"{MODEL}.model", f"{model.version}.0.0")
    return next(one for one in plant.client.components() if (one.name, one.version) == wanted)


def test_a_flipped_byte_in_an_artifact(line: Line) -> None:
    second = line.plant.release("flipped")
    file = _object(line.plant, second.digest)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    with line.offered(second, file, bytes(data)):
        line.refused("artifact.digest_mismatch")
    line.plant.wait_runs(line.station, second)


def test_a_flipped_byte_stops_a_rollout_and_the_device_is_told_to_stay(line: Line) -> None:
    second = line.plant.release("flipped in a rollout")
    file = _object(line.plant, second.digest)
    with contextlib.ExitStack() as stack:
        with line.station.frozen():
            rollout = line.plant.deploy(second).rollout
            stack.enter_context(_replaced(file, file.read_bytes()[:-1] + b"!"))
        eventually(lambda: line.plant.client.rollout(rollout).state is RolloutState.FAILED)
    (device,) = line.plant.client.rollout_devices(rollout).devices
    assert device.error is not None
    assert device.error.code == "artifact.digest_mismatch"
    assert "artifact.digest_mismatch" in line.plant.page(f"/rollouts/{rollout}")
    line.plant.wait_runs(line.station, line.first)
    line.still_publishes()
    again = line.plant.deploy(second)  # the file is right now; a rollout that failed may be tried again
    assert again.rollout != rollout
    line.plant.wait_runs(line.station, second)


def test_metadata_rolled_back(line: Line) -> None:
    second = line.plant.release("rolled back")
    with line.offered(second, line.plant.root / "tuf" / "timestamp.json", line.early):
        line.refused("trust.rollback")
    line.plant.wait_runs(line.station, second)


def test_a_recipe_swapped_for_another(line: Line) -> None:
    second = line.plant.release("swapped")
    file = _object(line.plant, _component(line.plant, second).recipe_digest)
    data = file.read_bytes()
    with line.offered(second, file, data.replace(b"Lineside", b"Somebody")):
        line.refused("trust.recipe_mismatch")
    line.plant.wait_runs(line.station, second)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("models/{name}-9.0.0.json", "trust.unknown_target"),  # nobody signed it
        ("staging/{name}-9.0.0.json", "trust.wrong_role"),  # nobody approved it
    ],
)
def test_a_desired_document_that_names_what_was_not_released(line: Line, target: str, code: str) -> None:
    """Somebody who has the database writes what they like into it; the approvers' key they have not."""
    name = f"{MODEL}.model"
    forged = {"version": "9.0.0", "target": target.format(name=name), "recipe_digest": digest_of(b"forged")}
    right = _rewrite(line.plant, line.station, {name: forged})
    line.refused(code)
    _rewrite(line.plant, line.station, {name: right[name]})
    line.plant.wait_runs(line.station, line.first)


def _rewrite(plant: Plant, station: Station, changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Change components of a desired document behind the control plane's back; what they were, by name."""
    before = documents.components_of(plant.root, station.name)
    documents.want(plant.root, station.name, documents.changed(before, changes))
    return {one["name"]: one for one in before}


def test_a_join_token_that_expired(line: Line) -> None:
    token = line.plant.token(group="spare", ttl=1)
    expires = datetime.fromisoformat(token.expires_at)
    eventually(lambda: datetime.now(UTC) > expires)
    _cannot_join(line, Station(line.plant.folder, "late"), "join.token_expired", token)


def test_a_join_token_that_was_used(line: Line, tmp_path: Path) -> None:
    token = line.plant.token(group="spare", uses=1)
    assert Station(tmp_path, "first-come").join(token).returncode == 0
    _cannot_join(line, Station(tmp_path, "second-come"), "join.token_used", token)


def _cannot_join(line: Line, newcomer: Station, code: str, token: Any) -> None:
    refused = newcomer.join(token)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == code
    assert not (newcomer.root / "join.json").exists()
    assert newcomer.name not in [device.name for device in line.plant.client.devices()]
    assert line.plant.refusals(code)[0].subject == newcomer.name
    assert code in line.plant.page("/events")
    line.still_publishes()
    assert newcomer.join(line.plant.token(group="spare")).returncode == 0  # a good token, and it is in
