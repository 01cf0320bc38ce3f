"""Deploying on the device itself: a real agent, with a control plane and without."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest

from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.local.devices import Device, write_app
from tests.eventually import PATIENCE, eventually


@pytest.fixture
def device(agent: AgentProcess, capsys: pytest.CaptureFixture[str]) -> Device:
    """Joined, not running."""
    return Device(agent, capsys)


def test_a_python_component_is_deployed_updated_rolled_back_and_removed(
    plane: ControlPlane, device: Device, tmp_path: Path
) -> None:
    revision = plane.want(plane.release(recipe("other")))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    done = device.deploy(tmp_path, "1.0.0")
    assert (done["status"], done["kind"], done["what"]) == ("SUCCEEDED", "deploy", "app 1.0.0")
    assert device.said("version 1.0.0 says hello")
    report = eventually(
        lambda: next((one for one in plane.reports if len(one.running) == 2 and one.phase is Phase.HEALTHY), None)
    )
    assert {one.name: one.version for one in report.running} == {"other": "1.0.0", "app": "1.0.0"}
    assert report.revision == revision

    assert device.deploy(tmp_path, "2.0.0", "--merge", '{"app": {"word": "moin"}}')["status"] == "SUCCEEDED"
    assert device.said("version 2.0.0 says moin")

    bad = write_app(tmp_path, "3.0.0", code="raise SystemExit(7)", probe="exit 1")
    files = ("--artifacts", tmp_path / "artifacts")
    failed = device.command("deploy", "--recipe", bad, *files, "--wait", PATIENCE, code=1)
    assert failed["status"] == "FAILED"
    assert failed["error"]["code"] == "component.broken"
    assert "exit status 7" in failed["error"]["message"]
    assert device.versions() == {"other": "1.0.0", "app": "2.0.0"}
    assert device.agent.configuration("app") == {"word": "moin"}
    eventually(lambda: len(device.agent.children()) == 2)
    eventually(lambda: plane.reports[-1].phase is Phase.HEALTHY)
    assert not [one for one in plane.reports if one.error or one.phase in (Phase.ROLLED_BACK, Phase.FAILED)]

    assert device.command("deploy", "--remove", "app", "--wait", PATIENCE)["status"] == "SUCCEEDED"
    assert device.versions() == {"other": "1.0.0"}
    listed = device.command("deployments")
    assert [one["status"] for one in listed] == ["SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED"]
    eventually(lambda: not list((device.agent.paths.root / "local" / "spool").iterdir()))


def test_a_failed_version_is_tried_again_when_somebody_deploys_it_again(
    plane: ControlPlane, device: Device, tmp_path: Path
) -> None:
    plane.want(plane.release(recipe("other")))
    device.agent.start()
    wanted = tmp_path / "plugged-in"
    code = f"import os, signal\nif not os.path.exists({str(wanted)!r}): raise SystemExit(7)\nsignal.pause()"
    app = write_app(tmp_path, "1.0.0", code=code, probe=f"test -e {wanted}")
    words = ("deploy", "--recipe", app, "--artifacts", tmp_path / "artifacts", "--wait", PATIENCE)
    assert device.command(*words, code=1)["status"] == "FAILED"
    wanted.touch()
    assert device.command(*words)["status"] == "SUCCEEDED"


def test_a_later_revision_that_names_the_component_takes_over(
    plane: ControlPlane, device: Device, tmp_path: Path
) -> None:
    app = plane.release(recipe("app", "0.1.0"))
    revision = plane.want(app)
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    device.deploy(tmp_path, "1.0.0")
    assert device.versions() == {"app": "1.0.0"}
    device.agent.end()
    device.agent.start()  # it is still there after a restart
    assert device.said("version 1.0.0 says hello")
    revision = plane.want(plane.release(recipe("app", "0.2.0")))
    report = plane.wait_report(revision, Phase.HEALTHY)
    assert {one.name: one.version for one in report.running} == {"app": "0.2.0"}


def test_configuration_alone_restarts_the_component_of_the_control_plane(plane: ControlPlane, device: Device) -> None:
    revision = plane.want(plane.release(recipe("app", configuration={"a": 1, "b": {"c": 2}})))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    done = device.command(
        "deploy", "--merge", '{"app": {"b": {"d": 3}}}', "--reset", '{"app": ["/a"]}', "--wait", PATIENCE
    )
    assert done["what"] == "app configured"
    assert device.agent.configuration("app") == {"a": 1, "b": {"c": 2, "d": 3}}
    device.command("deploy", "--remove", "app", "--wait", PATIENCE)
    assert device.versions() == {}


def test_after_a_failed_revision_local_deployments_go_on_top_of_what_runs(
    plane: ControlPlane, device: Device, tmp_path: Path
) -> None:
    revision = plane.want(plane.release(recipe("line", "1.0.0")))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    revision = plane.want(plane.release(recipe("line", "2.0.0", Run="exit 1", Probe="exit 1")))
    plane.wait_report(revision, Phase.ROLLED_BACK)
    assert device.deploy(tmp_path, "1.0.0")["status"] == "SUCCEEDED"
    assert device.versions() == {"line": "1.0.0", "app": "1.0.0"}
    report = eventually(
        lambda: next((one for one in plane.reports if len(one.running) == 2 and one.phase is Phase.ROLLED_BACK), None)
    )
    assert report.error is not None
    assert report.error.code == "component.broken"
    assert device.command("deploy", "--remove", "app", "--wait", PATIENCE)["status"] == "SUCCEEDED"
    assert device.versions() == {"line": "1.0.0"}
    log = device.agent.paths.log("line").read_text()
    assert log.count("started") == 2  # it came back once, and was left alone after that
    revision = plane.want(plane.release(recipe("line", "3.0.0")))
    plane.wait_report(revision, Phase.HEALTHY)


def test_a_revision_that_cannot_be_fetched_now_does_not_stand_in_the_way(
    plane: ControlPlane, device: Device, tmp_path: Path
) -> None:
    revision = plane.want(plane.release(recipe("line", "1.0.0")))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    data = plane.add_blob(b"far away")
    plane.break_after = 0
    revision = plane.want(plane.release(recipe("line", "2.0.0", artifacts=[artifact("data.bin", data)])))
    plane.wait_report(revision, Phase.FETCHING)
    assert device.deploy(tmp_path, "1.0.0")["status"] == "SUCCEEDED"
    assert device.versions() == {"line": "1.0.0", "app": "1.0.0"}
    plane.break_after = None
    plane.wait_report(revision, Phase.HEALTHY)
    assert device.versions() == {"line": "2.0.0", "app": "1.0.0"}


def test_what_waits_is_taken_at_the_next_start_and_may_be_cancelled(
    plane: ControlPlane, device: Device, tmp_path: Path
) -> None:
    plane.want(plane.release(recipe("other")))
    one = write_app(tmp_path, "1.0.0")
    files = ("--artifacts", tmp_path / "artifacts")
    first = device.command("deploy", "--recipe", one, *files)
    assert first["agent_running"] is False
    second = device.command("deploy", "--remove", "other")
    for path in (tmp_path / "artifacts" / "app.py", one):
        path.unlink()  # the stick was pulled out
    assert [entry["status"] for entry in device.command("deployments")] == ["QUEUED", "QUEUED"]
    device.command("deployments", "--cancel", second["id"])
    device.agent.start()
    ended = eventually(lambda: _ended(device, first["id"]))
    assert ended["status"] == "SUCCEEDED"
    assert _ended(device, second["id"])["error"]["code"] == "local.canceled"
    assert device.versions()["app"] == "1.0.0"
    assert device.command("deployments", "--cancel", first["id"], code=1)["error"]["code"] == "local.ended"
    assert device.command("deployments", "--cancel", "none", code=1)["error"]["code"] == "bus.deployment_unknown"


def _ended(device: Device, id: str) -> dict[str, object] | None:
    found: list[dict[str, object]] = device.command("deployments")
    return next((one for one in found if one["id"] == id and one["status"] not in ("QUEUED", "IN_PROGRESS")), None)


def test_cancelling_breaks_off_a_trial_that_hangs(plane: ControlPlane, device: Device, tmp_path: Path) -> None:
    plane.want(plane.release(recipe("other")))
    device.agent.start()
    slow = recipe("slow", Run="echo up; sleep 1000", Probe={"Script": "exit 1", "Timeout": 1000})
    file = tmp_path / "slow.json"
    file.write_bytes(msgspec.json.encode(slow))
    id = device.command("deploy", "--recipe", file)["id"]
    eventually(lambda: device.agent.paths.log("slow").exists())
    device.command("deployments", "--cancel", id)
    ended = eventually(lambda: _ended(device, id))
    assert ended["status"] == "CANCELED"
    eventually(lambda: device.versions() == {"other": "1.0.0"} and len(device.agent.children()) == 1)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "local.nothing_to_do"),
        (("--remove", "app", "--merge", "{"), "local.bad_request"),
        (("--merge", '{"app": 3}'), "local.bad_request"),
        (("--run-with", '{"app": {"systemResourceLimits": {"memory": "much"}}}'), "local.bad_request"),
        (("--configuration", "/there/is/none"), "local.file_unreadable"),
        (("--remove", "app", "--artifacts", "/there/is/none"), "local.file_unreadable"),
        (("--recipe", "/there/is/none"), "local.file_unreadable"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: str
) -> None:
    device = Device(AgentProcess(tmp_path / "root", cast(ControlPlane, None)), capsys)
    assert device.command("deploy", *words, code=1)["error"]["code"] == code
    assert not (tmp_path / "root" / "local" / "spool").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--remove", "app"), "local.component_unknown"),
        (("--merge", '{"app": {}}'), "local.component_unknown"),
        (("--recipe", "RECIPE"), "local.artifact_missing"),
    ],
)
def test_what_cannot_be_met_fails_and_changes_nothing(
    plane: ControlPlane, device: Device, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    plane.want(plane.release(recipe("other")))
    device.agent.start()
    app = str(write_app(tmp_path, "1.0.0"))
    words = tuple(app if word == "RECIPE" else word for word in words)
    failed = device.command("deploy", *words, "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == code
    eventually(lambda: device.versions() == {"other": "1.0.0"})


@pytest.mark.slow
def test_a_device_that_has_joined_nothing_runs_what_is_deployed_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = AgentProcess(tmp_path / "alone", cast(ControlPlane, None))
    device = Device(agent, capsys)
    assert device.command("run", code=1)["error"]["code"] == "agent.not_joined"
    write_app(tmp_path, "1.0.0")
    device.command("deploy", "--recipe", tmp_path / "app-1.0.0.yaml", "--artifacts", tmp_path / "artifacts")
    agent.start()
    try:
        assert device.said("version 1.0.0 says hello")
        eventually(lambda: device.versions() == {"app": "1.0.0"})
        shown = device.command("status")
        assert (shown["url"], shown["good_revision"], shown["conditions"]) == ("", 0, [])
        agent.kill()
        agent.start()
        eventually(lambda: agent.paths.log("app").read_text().count("says hello") >= 2)
        missing = device.command("import", tmp_path / "none.zip", code=1)
        assert missing["error"]["code"] == "bundle.not_joined"
    finally:
        agent.end()
    assert agent.children() == []
