"""The diagnostic checks on a real device: all is well, then one thing after the other is not; each with a next step."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.agent.database import Database
from lineside.agent.health.checks import CHECKS, diagnose
from lineside.agent.health.checks.subject import Subject
from lineside.agent.link import join_state
from lineside.agent.link.outbox import Outbox
from lineside.contract.inquiry import CheckResult
from lineside.contract.reported import Phase, Report
from tests.agent.agents import AgentProcess
from tests.agent.broker import Mosquitto, free_port
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A cool machine with memory."""
    write(tmp_path / "machine", "proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 500000 kB")
    write(tmp_path / "machine", "sys/class/hwmon/hwmon0/temp1_input", "45000")
    return tmp_path / "machine"


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def look(agent: AgentProcess, machine: Path = Path("/")) -> dict[str, CheckResult]:
    """Every check by name; one that failed says what to do next."""
    found = {one.name: one for one in diagnose(Subject(agent.paths, join_state.load(agent.paths), machine))}
    assert list(found) == [name for name, _ in CHECKS]
    assert all(one.sentence.endswith(".") for one in found.values()), found
    assert all(one.ok or one.next for one in found.values()), found
    return found


def failed(found: dict[str, CheckResult]) -> set[str]:
    return {name for name, one in found.items() if not one.ok}


@pytest.fixture
def broker(plane: ControlPlane, tmp_path: Path) -> Iterator[Mosquitto]:
    found = Mosquitto(plane, tmp_path / "broker")
    found.start()
    yield found
    found.kill()


@pytest.mark.mosquitto
def test_a_sound_device_passes(plane: ControlPlane, agent: AgentProcess, broker: Mosquitto, machine: Path) -> None:
    broker.used_by(agent)
    revision = plane.want(plane.release(recipe("app", "1.2.3")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    found = look(agent, machine)
    assert failed(found) == set()
    assert "app 1.2.3 RUNNING" in found["components"].sentence
    assert plane.url in found["network"].sentence
    assert str(broker.port) in found["broker"].sentence


def test_nobody_there_is_said_by_each_check_that_needs_somebody(agent: AgentProcess, machine: Path) -> None:
    joined = join_state.load(agent.paths)
    nowhere = msgspec.structs.replace(
        joined, url=f"https://127.0.0.1:{free_port()}", mqtt_host="127.0.0.1", mqtt_port=free_port()
    )
    join_state.save(agent.paths, nowhere)
    found = look(agent, machine)
    assert failed(found) == {"network", "broker", "components"}
    assert "Nothing accepts connections" in found["network"].sentence
    assert "does not run" in found["components"].sentence


@pytest.mark.mosquitto
def test_a_broker_that_refuses_the_certificate_is_told_from_one_that_is_away(
    agent: AgentProcess, tmp_path: Path, machine: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = ControlPlane(tmp_path / "other")
    stranger = Mosquitto(other, tmp_path / "stranger")
    stranger.start()
    stranger.used_by(agent)
    agent.paths.ca.write_text(agent.paths.ca.read_text() + other.ca.pem)  # we believe it, it does not believe us
    found = look(agent, machine)["broker"]
    assert not found.ok
    assert "refuses the device's certificate" in found.sentence
    stranger.kill()
    other.close()


def test_heat_little_memory_and_a_lost_key_are_found(agent: AgentProcess, machine: Path) -> None:
    write(machine, "proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 1000 kB")
    write(machine, "sys/class/hwmon/hwmon0/temp1_input", "99000")
    agent.paths.certificate.write_text("not a certificate")
    found = look(agent, machine)
    assert {"memory", "temperature", "certificate"} <= failed(found)
    assert str(agent.paths.certificate) in found["certificate"].sentence


def test_a_clock_far_from_the_control_planes_is_found(plane: ControlPlane, agent: AgentProcess) -> None:
    plane.shift = datetime.timedelta(hours=3)
    found = look(agent)["clock"]
    assert not found.ok
    assert "the control plane says" in found.sentence


def test_reports_that_wait_are_counted(agent: AgentProcess, machine: Path) -> None:
    database = Database(agent.paths.database)
    outbox = Outbox(database)
    for _ in range(120):
        outbox.add(
            lambda number: Report(device="cell-1", sequence=number, at="2026-01-01", revision=1, phase=Phase.IDLE)
        )
    database.close()
    assert "outbox" in failed(look(agent, machine))


def test_a_broken_component_is_named_with_its_reason(plane: ControlPlane, agent: AgentProcess, machine: Path) -> None:
    revision = plane.want(plane.release(recipe("app", "1.0.0", Run="echo no camera; exit 3")))
    agent.start()
    plane.wait_report(revision, Phase.FAILED, Phase.ROLLED_BACK)
    found = look(agent, machine)["components"]
    assert not found.ok
    assert "app" in found.sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_cannot_be_written_is_found(agent: AgentProcess, machine: Path) -> None:
    agent.paths.root.chmod(0o500)
    try:
        assert "disk" in failed(look(agent, machine))
    finally:
        agent.paths.root.chmod(0o700)


def test_a_full_disk_is_found(agent: AgentProcess, machine: Path) -> None:
    (agent.paths.root / ".written").symlink_to("/dev/full")
    found = look(agent, machine)["disk"]
    assert not found.ok
    assert "no space" in found.sentence.lower()


def test_the_command_prints_words_or_json_and_its_status_tells(agent: AgentProcess) -> None:
    command = [sys.executable, "-m", "lineside.agent", "diagnose", "--root", str(agent.paths.root)]
    words = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert words.returncode == 1  # the agent does not run
    assert words.stdout.count("\n") > len(CHECKS)
    assert "FAIL  components" in words.stdout
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert [one["name"] for one in json.loads(told.stdout)] == [name for name, _ in CHECKS]
