"""What a device does not believe it does not touch: the old version keeps running, and the report says why."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from lineside.contract.ids import digest_of
from lineside.contract.reported import ComponentState, Phase, Report
from tests.agent.agents import AgentProcess
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually


@pytest.fixture
def running(plane: ControlPlane, agent: AgentProcess) -> AgentProcess:
    """An agent with app 1.0.0 healthy."""
    revision = plane.want(plane.release(recipe("app", "1.0.0")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    return agent


def refused(plane: ControlPlane, revision: int, code: str) -> Report:
    """Wait for the refusal, and check that the old version still runs."""
    report = plane.wait_report(revision, Phase.REFUSED)
    assert report.error is not None
    assert report.error.code == code
    assert [(one.version, one.state) for one in report.running] == [("1.0.0", ComponentState.RUNNING)]
    return report


def test_a_flipped_byte_is_refused_until_the_file_is_right_again(plane: ControlPlane, running: AgentProcess) -> None:
    data = bytes(range(256)) * 300
    digest = plane.add_blob(data)
    plane.blobs[digest] = data[:-1] + b"!"
    revision = plane.want(plane.release(recipe("app", "2.0.0", artifacts=[artifact("data.bin", digest)])))
    refused(plane, revision, "artifact.digest_mismatch")
    assert running.paths.log("app").read_text().count("started") == 1
    plane.blobs[digest] = data
    plane.wait_report(revision, Phase.HEALTHY)


def test_metadata_that_was_rolled_back_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    old = dict(plane.tuf.files)
    revision = plane.want(plane.release(recipe("app", "2.0.0")))
    plane.wait_report(revision, Phase.HEALTHY)
    newest = dict(plane.tuf.files)
    plane.tuf.files["timestamp.json"] = old["timestamp.json"]
    revision = plane.want(plane.release(recipe("app", "1.0.0")))
    plane.tuf.files["timestamp.json"] = old["timestamp.json"]
    report = plane.wait_report(revision, Phase.REFUSED)
    assert report.error is not None
    assert report.error.code == "trust.rollback"
    assert [one.version for one in report.running] == ["2.0.0"]
    assert newest


def test_metadata_that_has_expired_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    plane.tuf.lifetime = datetime.timedelta(days=-1)
    refused(plane, plane.want(plane.release(recipe("app", "2.0.0"))), "trust.expired")


def test_metadata_signed_by_a_stranger_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    new = plane.release(recipe("app", "2.0.0"))
    plane.tuf.publish(wrong_key="builders")
    refused(plane, plane.want(new), "trust.signature")


def test_an_unsigned_component_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    unsigned = DesiredComponent(
        name="app", version="9.0.0", target="apps/app-9.0.0.json", recipe_digest=digest_of(b"nobody signed this")
    )
    refused(plane, plane.want(unsigned), "trust.unknown_target")


def test_what_is_staged_is_for_twins_only(plane: ControlPlane, running: AgentProcess) -> None:
    staged = plane.release(recipe("app", "2.0.0"), folder="staging")
    refused(plane, plane.want(staged), "trust.wrong_role")


def test_a_twin_takes_what_is_staged(plane: ControlPlane, agent: AgentProcess) -> None:
    agent.join(twin=True, force=True)
    revision = plane.want(plane.release(recipe("app", "2.0.0"), folder="staging"))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)


def test_a_target_of_another_component_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    other = plane.release(recipe("other", "2.0.0"))
    posing = DesiredComponent(name="app", version="2.0.0", target=other.target, recipe_digest=other.recipe_digest)
    refused(plane, plane.want(posing), "trust.unknown_target")


def test_a_signed_recipe_of_another_name_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    posing = plane.release(recipe("app", "2.0.0"))
    data = plane.tuf.targets[posing.target].replace(b'"app"', b'"oth"')
    plane.tuf.add(posing.target, data)
    named = DesiredComponent(name="app", version="2.0.0", target=posing.target, recipe_digest=digest_of(data))
    refused(plane, plane.want(named), "trust.recipe_mismatch")


def test_recipe_bytes_that_were_changed_are_refused(plane: ControlPlane, running: AgentProcess) -> None:
    new = plane.release(recipe("app", "2.0.0"))
    plane.tuf.targets[new.target] = plane.tuf.targets[new.target].replace(b"sleep 1000", b"sleep 9999")
    refused(plane, plane.want(new), "trust.recipe_mismatch")


def test_a_digest_other_than_the_signed_one_is_refused(plane: ControlPlane, running: AgentProcess) -> None:
    new = plane.release(recipe("app", "2.0.0"))
    wanted = DesiredComponent(
        name="app", version="2.0.0", target=new.target, recipe_digest=digest_of(b"something else")
    )
    refused(plane, plane.want(wanted), "trust.recipe_mismatch")


def _escaping(plane: ControlPlane) -> DesiredComponent:
    digest = plane.add_blob(archive({"../../evil": b"x"}))
    return plane.release(recipe("app", "2.0.0", artifacts=[artifact("code.zip", digest, Unarchive="ZIP")]))


def _missing_dependency(plane: ControlPlane) -> DesiredComponent:
    return plane.release(recipe("app", "2.0.0", dependencies={"camera": "^1.0.0"}))


def _other_platform(plane: ControlPlane) -> DesiredComponent:
    return plane.release(recipe("app", "2.0.0", platform={"os": "windows"}))


def _docker(plane: ControlPlane) -> DesiredComponent:
    found = recipe("app", "2.0.0")
    found["Manifests"][0]["Artifacts"] = [{"URI": "docker:alpine"}]
    return plane.release(found, update=ConfigurationUpdate())


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_escaping, "archive.path_escape"),
        (_missing_dependency, "recipe.dependency_missing"),
        (_other_platform, "recipe.no_platform"),
        (_docker, "recipe.unsupported"),
    ],
)
def test_a_component_that_cannot_be_met_is_refused(
    plane: ControlPlane, running: AgentProcess, make: Callable[[ControlPlane], DesiredComponent], code: str
) -> None:
    refused(plane, plane.want(make(plane)), code)


def test_a_revoked_device_keeps_running_what_it_runs(plane: ControlPlane, running: AgentProcess) -> None:
    plane.revoked = True
    tries = plane.served["desired"]
    eventually(lambda: plane.served["desired"] > tries + 1)
    assert len(running.children()) == 1
    assert running.process is not None
    assert running.process.poll() is None
