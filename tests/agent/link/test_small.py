"""The agent stays small and polite: what it never loads, how little it says, and how it waits when it is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.agent.backoff import MAX_BACKOFF, Backoff
from lineside.agent.link.error import LinkError
from lineside.contract.errors import ErrorReport, RemoteError
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

HEAVY = ("joserfc", "cryptography", "tuf", "securesystemslib", "urllib3", "yaml", "asyncio", "numpy", "multiprocessing")


def test_the_resident_process_imports_nothing_heavy() -> None:
    program = "import sys, lineside.agent.run; print(*[name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program, *HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_after_a_deployment_and_its_signatures_no_cryptography_is_in_the_process(
    plane: ControlPlane, agent: AgentProcess
) -> None:
    revision = plane.want(plane.release(recipe()))
    pid = agent.start().pid
    plane.wait_report(revision, Phase.HEALTHY)
    files = {line.split()[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()}
    assert not [one for one in files if "cryptography" in one or "_rust" in one]
    assert any("libssl" in one for one in files)  # the test would see it


def test_a_check_in_is_below_4_kb_and_tells_facts_and_usage(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("camera")), plane.release(recipe("gateway")))
    agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY)
    assert len(msgspec.json.encode(report)) < 4096
    assert {one.name for one in report.running if one.usage is not None} == {"camera", "gateway"}
    assert report.facts["agent_memory_bytes"] > 1 << 20
    assert {"disk_free_bytes", "load", "uptime_seconds", "link", "boot_id", "agent"} <= set(report.facts)


def test_what_only_varies_causes_no_report(plane: ControlPlane, agent: AgentProcess) -> None:
    """Usage and facts change all the time; five polls later there is still no new report."""
    revision = plane.want(plane.release(recipe("busy", Run="while true; do :; done")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    known, polls = len(plane.reports), plane.served["desired"]
    eventually(lambda: plane.served["desired"] >= polls + 5)
    assert len(plane.reports) == known


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_waited_for_longer_each_time_up_to_a_limit(status: int) -> None:
    backoff, error = Backoff(), RemoteError(ErrorReport(code="device.revoked", message="No."), status)
    waits = [backoff.after(error, poll_seconds=0.0) for _ in range(20)]
    assert waits[0] <= 1.0
    assert all(MAX_BACKOFF / 2 <= wait <= MAX_BACKOFF for wait in waits[8:])
    assert len(set(waits[8:])) > 1  # jitter
    backoff.worked()
    assert backoff.after(error, poll_seconds=0.0) <= 1.0


def test_a_poll_interval_that_is_longer_is_the_limit_and_a_wish_comes_first() -> None:
    backoff = Backoff()
    assert max(backoff.after(None, poll_seconds=600.0) for _ in range(20)) > MAX_BACKOFF
    wish = LinkError("link.answer", retry_after=120.0, status=503, path="desired")
    assert 120.0 <= backoff.after(wish, poll_seconds=1.0) <= 144.0


def test_a_revoked_device_does_not_hammer(plane: ControlPlane, agent: AgentProcess) -> None:
    agent.start()
    eventually(lambda: plane.served["desired"] >= 1)
    plane.revoked = True
    log = agent.paths.root.with_suffix(".log")
    eventually(lambda: log.read_text().count("device.revoked") >= 3)
    assert sum(plane.served.values()) < 60
