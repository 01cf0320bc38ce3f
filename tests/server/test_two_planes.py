"""Two control planes on one PostgreSQL, as real processes: one acts, the other answers all the same and takes over."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lineside.client.own_component import add_component
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.rollout import RolloutPlan, RolloutState, WaveSpec
from lineside.server.testing import until
from lineside.server.worker import worker_name
from tests.frozen import frozen
from tests.server.planes import Device, client, holders, home, share, start
from tests.server.postgresql import Databases
from tests.server.processes import ControlPlaneProcess, worker

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("control plane")]

TAKE_OVER = 15.0  # seconds
NAMES = ("a", "b", "c", "d")
RECIPE = """\
recipeFormatVersion: 2020-01-25
ComponentName: com.example.Hello
ComponentVersion: 1.0.0
Manifests:
  - Platform: {os: linux}
    Lifecycle: {Run: "true"}
"""


@pytest.fixture
def url(postgresql_databases: Databases) -> str:
    return postgresql_databases.empty()


@pytest.fixture
def planes(url: str, tmp_path: Path) -> Iterator[tuple[ControlPlaneProcess, ControlPlaneProcess]]:
    with ExitStack() as stack:
        first = stack.enter_context(start(tmp_path / "first", url, "--soak-seconds", "0"))
        share(first.root, tmp_path / "second")
        second = stack.enter_context(start(tmp_path / "second", url, "--soak-seconds", "0"))
        yield first, second


@pytest.fixture
def fleet(planes: tuple[ControlPlaneProcess, ...]) -> Iterator[dict[str, Device]]:
    """Devices of which each joined at another control plane than the one before."""
    devices = {name: Device(planes[at % 2], name, "line") for at, name in enumerate(NAMES)}
    yield devices
    for device in devices.values():
        device.close()


def deploy(first: ControlPlaneProcess, second: ControlPlaneProcess, folder: Path) -> str:
    """Signed at one, deployed at the other, one device first; the rollout."""
    (folder / "recipe.yaml").write_text(RECIPE)
    add_component(client(second), folder / "recipe.yaml")
    document = DeploymentDocument(
        group_name="line",
        deployment_name="hello",
        components={"com.example.Hello": ComponentSpec(component_version="1.0.0")},
        rollout=RolloutPlan(waves=(WaveSpec(count=1),)),
    )
    return client(first).deploy(document).rollout


def told(fleet: dict[str, Device], plane: ControlPlaneProcess) -> list[Device]:
    return [device for device in fleet.values() if device.desired(plane).revision > 0]


def test_a_rollout_goes_on_after_the_one_that_acted_is_killed(
    planes: tuple[ControlPlaneProcess, ControlPlaneProcess], fleet: dict[str, Device], url: str, tmp_path: Path
) -> None:
    first, second = planes
    rollout = deploy(first, second, tmp_path)
    (canary,) = until(lambda: told(fleet, first))
    for device in fleet.values():  # the same, whichever is asked
        for path in ("/desired", "/tuf/timestamp.json", "/tuf/1.root.json"):
            assert device.get(first, path).content == device.get(second, path).content

    acting = {home(plane): plane for plane in planes}[holders(url)["rollouts"]]
    other = second if acting is first else first
    assert set(holders(url).values()) == {home(acting)}
    acting.process.kill()
    acting.process.wait()
    canary.report(other)
    until(lambda: holders(url)["rollouts"] == home(other), TAKE_OVER)
    until(lambda: len(told(fleet, other)) == len(NAMES))
    for device in fleet.values():
        device.report(other)
    until(lambda: client(other).rollout(rollout).state is RolloutState.SUCCEEDED)
    until(lambda: set(holders(url).values()) == {home(other)}, TAKE_OVER)

    with start(acting.root, url, "--soak-seconds", "0") as again:
        assert client(again).rollout(rollout).state is RolloutState.SUCCEEDED
        for plane in (again, other):
            assert client(plane).verify_audit().findings == ()
        assert other.end(signal.SIGTERM) == 0
        assert home(other) not in holders(url).values()  # handed back at once
        until(lambda: holders(url).get("rollouts") == home(again))


def test_a_control_plane_with_other_keys_is_refused_and_workers_have_names_of_their_own(
    url: str, tmp_path: Path
) -> None:
    names = []
    for _ in range(2):
        with start(tmp_path / "first", url, worker=worker()) as first:
            first.worker_pid()
            names.append((first.root / "worker" / "name").read_text())
            (first.root / "worker" / "pid").unlink()
            assert first.end() == 0
    assert names[0] == names[1] == worker_name(tmp_path / "first", shared=True)
    assert names[0] != worker_name(tmp_path, shared=True) != worker_name(tmp_path, shared=False) == "worker"
    with start(tmp_path / "first", url):
        status, said = start(tmp_path / "stranger", url).refused()
    assert status == 1
    assert said.splitlines()[0] == (
        "The database belongs to control planes with other keys: access-token.key, audit.key, ca.key, ca.pem, "
        f"people.key, webhooks.key in {tmp_path / 'stranger' / 'keys'} differ."
    )
    assert "Copy R/keys" in said


def test_a_stopped_process_that_goes_on_finds_its_lease_taken_and_writes_nothing(
    planes: tuple[ControlPlaneProcess, ControlPlaneProcess], fleet: dict[str, Device], url: str, tmp_path: Path
) -> None:
    """As after a laptop's sleep, or a virtual machine that was moved: for a while nobody knew that it lives."""
    first, second = planes
    until(lambda: "rollouts" in holders(url))
    acting = {home(plane): plane for plane in planes}[holders(url)["rollouts"]]
    other = second if acting is first else first
    with frozen(acting.process):
        until(lambda: holders(url)["rollouts"] == home(other), TAKE_OVER)
        rollout = deploy(other, other, tmp_path)
        (canary,) = until(lambda: told(fleet, other))
    canary.report(acting)
    until(lambda: len(told(fleet, acting)) == len(NAMES))
    for device in fleet.values():
        device.report(acting)
    until(lambda: client(acting).rollout(rollout).state is RolloutState.SUCCEEDED)
    assert holders(url)["rollouts"] == home(other)
    moves = [(move.current, move.wanted) for move in client(acting).rollout(rollout).history]
    assert len(moves) == len(set(moves))
