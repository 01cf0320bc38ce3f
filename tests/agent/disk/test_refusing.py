"""The disk is full, read-only or broken at each of the agent's writes: it lives, says so by name, and recovers.

The refusals come from the recorder inside the agent's process (`faults`), and once from a real, small tmpfs.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from lineside.contract.reported import Phase
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.disk.agents import FaultyAgent
from tests.eventually import eventually

CODES = {"ENOSPC": "device.disk_full", "EROFS": "device.disk_read_only", "EIO": "device.disk_error"}
PLACES = (("ENOSPC", "*/store/*"), ("EIO", "*/packages/*"), ("EROFS", "*/work/*"))
SQLITE = {
    "database or disk is full": "device.disk_full",
    "attempt to write a readonly database": "device.disk_read_only",
    "disk I/O error": "device.disk_error",
}


def release(plane: ControlPlane, version: str) -> DesiredComponent:
    files = [
        artifact("data.bin", plane.add_blob(version.encode() * 20_000)),
        artifact("code.zip", plane.add_blob(archive({"main.sh": version.encode()})), Unarchive="ZIP"),
    ]
    update = ConfigurationUpdate(merge={"version": version})
    return plane.release(recipe("app", version, artifacts=files), update=update)


@pytest.fixture
def agent(tmp_path: Path, plane: ControlPlane) -> Iterator[FaultyAgent]:
    """Healthy at 1.0.0."""
    found = FaultyAgent(tmp_path / "cell-1", plane)
    found.join()
    found.start()
    plane.wait_report(plane.want(release(plane, "1.0.0")), Phase.HEALTHY)
    yield found
    found.kill()


def named(plane: ControlPlane, code: str) -> None:
    """Wait until the device says what is wrong with it."""

    def said() -> bool:
        newest = plane.reports[-1]
        codes = {one.code for one in newest.conditions} | ({newest.error.code} if newest.error else set())
        return code in codes

    eventually(said)


def recovers(plane: ControlPlane, revision: int, version: str) -> None:
    """It becomes what was wanted, and nothing is wrong with it any more."""
    report = plane.wait_report(revision, Phase.HEALTHY)
    assert [one.version for one in report.running] == [version]
    eventually(lambda: not [one for one in plane.reports[-1].conditions if one.code.startswith("device.disk")])


@pytest.mark.parametrize(("error", "place"), PLACES)
def test_at_each_place_while_a_device_is_updated(
    plane: ControlPlane, agent: FaultyAgent, error: str, place: str
) -> None:
    assert agent.process is not None
    before = agent.children()
    agent.refuse(error=error, path=place)
    revision = plane.want(release(plane, "2.0.0"))
    named(plane, CODES[error])
    if place != "*/work/*":  # the old one is stopped before the new one's configuration is written
        assert agent.children() == before
    assert agent.process.poll() is None
    agent.relent()
    recovers(plane, revision, "2.0.0")


@pytest.mark.parametrize("words", SQLITE)
def test_at_the_database(plane: ControlPlane, agent: FaultyAgent, words: str) -> None:
    assert agent.process is not None
    before = agent.children()
    agent.refuse(sqlite=words)
    revision = plane.want(release(plane, "2.0.0"))
    eventually(lambda: words in agent.log.read_text())
    assert agent.children() == before
    assert agent.process.poll() is None
    agent.relent()
    recovers(plane, revision, "2.0.0")


def test_once_at_any_write(plane: ControlPlane, agent: FaultyAgent) -> None:
    """One refusal at a random write of each of several updates does no harm, wherever it strikes."""
    dice = random.Random(3)
    assert agent.process is not None
    for number, error in enumerate((*CODES, *CODES), start=2):
        agent.refuse(error=error, skip=dice.randrange(60), times=1)
        revision = plane.want(release(plane, f"{number}.0.0"))
        report = plane.wait_report(revision, Phase.HEALTHY, Phase.ROLLED_BACK)
        assert report.phase is Phase.HEALTHY, report.error
        assert agent.process.poll() is None
    assert "Traceback" not in agent.log.read_text()


@pytest.mark.parametrize(("error", "skip"), [("ENOSPC", 0), ("EROFS", 4), ("EIO", 9)])
def test_when_the_agent_starts(plane: ControlPlane, agent: FaultyAgent, error: str, skip: int) -> None:
    """It runs what it ran, or ends with a sentence; and all is well once the disk is."""
    agent.kill()
    said = agent.log.stat().st_size
    agent.refuse(error=error, skip=skip)
    process = agent.start()
    eventually(lambda: process.poll() is not None or len(agent.children()) == 1)
    assert b"Traceback" not in agent.log.read_bytes()[said:]
    agent.relent()
    if process.poll() is not None:
        assert process.poll() == 1
        agent.start()
    recovers(plane, plane.want(release(plane, "2.0.0")), "2.0.0")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB, where mounting one is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], check=False).returncode
    ):
        pytest.skip("mounting a tmpfs is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full(plane: ControlPlane, small_disk: Path) -> None:
    agent = FaultyAgent(small_disk / "cell-1", plane)
    agent.join()
    agent.start()
    plane.wait_report(plane.want(release(plane, "1.0.0")), Phase.HEALTHY)
    filler = small_disk / "filler"
    with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
        _fill(file)
    before = agent.children()
    revision = plane.want(release(plane, "2.0.0"))
    eventually(
        lambda: any(word in agent.log.read_text() for word in ("device.disk_full", "store.no_space", "space left"))
    )
    assert agent.process is not None
    assert agent.process.poll() is None
    assert agent.children() == before
    filler.unlink()
    recovers(plane, revision, "2.0.0")
    agent.end()


def _fill(file: IO[bytes]) -> None:
    while True:
        file.write(bytes(1 << 16))
        file.flush()
