"""An update transfers what changed and nothing else, shown by the bytes that the control plane sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

MODEL, CODE = 300_000, 20_000


def model(plane: ControlPlane, version: str, digest: str | None = None) -> DesiredComponent:
    digest = digest or plane.add_blob(version.encode() * (MODEL // len(version)))
    return plane.release(recipe("model", version, artifacts=[artifact("model.bin", digest)], install="true"))


def app(plane: ControlPlane, version: str) -> DesiredComponent:
    code = plane.add_blob(archive({"main.py": version.encode() * (CODE // len(version)), "same.py": b"same"}))
    files = [artifact("code.zip", code, Unarchive="ZIP")]
    return plane.release(recipe("app", version, artifacts=files, dependencies={"model": ">=1.0.0"}))


@contextmanager
def counted(plane: ControlPlane) -> Iterator[dict[str, int]]:
    """Bytes of artifacts that the control plane sends meanwhile, by digest."""
    before = dict(plane.bytes_served)
    found: dict[str, int] = {}
    yield found
    for name, count in plane.bytes_served.items():
        if name.startswith("sha256:") and count != before.get(name, 0):
            found[name] = count - before.get(name, 0)


def healthy(plane: ControlPlane, *components: DesiredComponent) -> None:
    plane.wait_report(plane.want(*components), Phase.HEALTHY)


def sizes(plane: ControlPlane, component: DesiredComponent) -> dict[str, int]:
    """Digest and size of each artifact of a component."""
    text = plane.tuf.targets[component.target].decode()
    return {digest: len(data) for digest, data in plane.blobs.items() if digest.removeprefix("sha256:") in text}


@pytest.fixture
def first(plane: ControlPlane, agent: AgentProcess) -> tuple[DesiredComponent, DesiredComponent]:
    """A device that runs app 1.0.0 with model 1.0.0, each artifact fetched once."""
    wanted = model(plane, "1.0.0"), app(plane, "1.0.0")
    agent.start()
    with counted(plane) as sent:
        healthy(plane, *wanted)
    assert sent == sizes(plane, wanted[0]) | sizes(plane, wanted[1])
    return wanted


def test_a_new_model_transfers_the_model_only(
    plane: ControlPlane, first: tuple[DesiredComponent, DesiredComponent]
) -> None:
    new = model(plane, "2.0.0")
    with counted(plane) as sent:
        healthy(plane, new, first[1])
    assert sent == sizes(plane, new)
    assert sum(sent.values()) > 299_000


def test_new_code_transfers_the_code_only(
    plane: ControlPlane, first: tuple[DesiredComponent, DesiredComponent]
) -> None:
    new = app(plane, "2.0.0")
    with counted(plane) as sent:
        healthy(plane, first[0], new)
    assert sent == sizes(plane, new)
    assert sum(sent.values()) < 1000  # it packs well


def test_configuration_alone_transfers_nothing(
    plane: ControlPlane, agent: AgentProcess, first: tuple[DesiredComponent, DesiredComponent]
) -> None:
    requests = dict(plane.served)
    with counted(plane) as sent:
        update = ConfigurationUpdate(merge={"threshold": 0.7})
        healthy(plane, first[0], msgspec.structs.replace(first[1], configuration_update=update))
    assert sent == {}
    assert agent.configuration("app") == {"threshold": 0.7}
    asked = {path for path, count in plane.served.items() if count > requests.get(path, 0)}
    assert not {path for path in asked if path.startswith(("artifacts/", "targets/", "tuf/"))}


def test_going_back_transfers_nothing(plane: ControlPlane, first: tuple[DesiredComponent, DesiredComponent]) -> None:
    healthy(plane, model(plane, "2.0.0"), app(plane, "2.0.0"))
    with counted(plane) as sent:
        healthy(plane, *first)
    assert sent == {}


def test_a_version_that_fails_costs_its_own_bytes_and_rolling_back_none(
    plane: ControlPlane, first: tuple[DesiredComponent, DesiredComponent]
) -> None:
    code = plane.add_blob(archive({"main.py": b"broken"}))
    broken = plane.release(recipe("app", "2.0.0", artifacts=[artifact("code.zip", code)], Run="exit 4"))
    with counted(plane) as sent:
        plane.wait_report(plane.want(first[0], broken), Phase.ROLLED_BACK)
    assert sent == {code: len(plane.blobs[code])}


def test_an_artifact_that_several_components_share_is_sent_once(plane: ControlPlane, agent: AgentProcess) -> None:
    shared = plane.add_blob(b"s" * MODEL)
    wanted = [
        plane.release(recipe(name, artifacts=[artifact(f"{name}.bin", shared)], install="true"))
        for name in ("one", "two", "three")
    ]
    agent.start()
    with counted(plane) as sent:
        healthy(plane, *wanted)
        healthy(plane, *wanted, model(plane, "1.0.0", shared))
    assert sent == {shared: MODEL}


def _broken_off(plane: ControlPlane, agent: AgentProcess, digest: str) -> int:
    """Wait until a part of an artifact is on the device, and kill it; how much is there."""
    part = agent.paths.store / "partial" / f"{digest.removeprefix('sha256:')}.part"
    eventually(lambda: part.exists() and part.stat().st_size > 0)
    agent.kill()
    return part.stat().st_size


def test_a_download_goes_on_where_a_killed_agent_stopped(plane: ControlPlane, agent: AgentProcess) -> None:
    digest = plane.add_blob(bytes(range(256)) * 8000)
    plane.break_after = 600_000
    revision = plane.want(model(plane, "1.0.0", digest))
    agent.start()
    had = _broken_off(plane, agent, digest)
    plane.break_after = None
    with counted(plane) as sent:
        agent.start()
        plane.wait_report(revision, Phase.HEALTHY)
    assert sent == {digest: len(plane.blobs[digest]) - had}


def test_another_version_goes_on_with_the_artifact_that_it_shares(plane: ControlPlane, agent: AgentProcess) -> None:
    digest = plane.add_blob(bytes(range(256)) * 8000)
    plane.break_after = 600_000
    plane.want(model(plane, "1.0.0", digest))
    agent.start()
    had = _broken_off(plane, agent, digest)
    before = agent.status().transferred_bytes
    plane.break_after = None
    agent.start()  # it goes on with 1.0.0 until it hears of 2.0.0: what it took until then stays
    healthy(plane, model(plane, "2.0.0", digest))
    recipes = sum(len(data) for data in plane.tuf.targets.values())
    assert agent.status().transferred_bytes - before <= len(plane.blobs[digest]) - had + recipes


def test_what_the_device_counts_is_what_was_sent(
    plane: ControlPlane, agent: AgentProcess, first: tuple[DesiredComponent, DesiredComponent]
) -> None:
    before = agent.status().transferred_bytes
    new = model(plane, "2.0.0")
    with counted(plane) as sent:
        healthy(plane, new, first[1])
    recipes = len(plane.tuf.targets[new.target])
    assert agent.status().transferred_bytes - before == sum(sent.values()) + recipes
