"""AWS's own SDK against a real agent: what the bus answers is what the agent does."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awsiot.greengrasscoreipc
import msgspec
import pytest
from awscrt.exceptions import AwsCrtError
from awsiot.greengrasscoreipc import model as m
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

from lineside.agent.keys.opening import open_keys
from lineside.agent.secrets import Secrets
from lineside.agent.supervision.processes import marked
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.bus.harness import PATH, policies
from tests.agent.components import SLEEPER, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE, eventually

NOW = datetime.datetime.now(datetime.UTC)


def _pids(agent: AgentProcess, name: str) -> set[int]:
    return {pid for pid, _ in marked(str(agent.paths.root), name)}


def _client(agent: AgentProcess, name: str) -> GreengrassCoreIPCClientV2:
    """With the variables that a running component was started with."""
    (pid, *_) = eventually(lambda: sorted(_pids(agent, name)))
    pairs = (one.split(b"=", 1) for one in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in one)
    variables = {key.decode(): value.decode() for key, value in pairs}
    assert variables["AWS_IOT_THING_NAME"] == "cell-1"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "lineside"
    assert variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == variables["SVCUID"]
    assert variables["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH"] == variables[PATH]
    assert variables["GGC_VERSION"]
    return GreengrassCoreIPCClientV2(
        client=awsiot.greengrasscoreipc.connect(ipc_socket=variables[PATH], authtoken=variables["SVCUID"])
    )


@pytest.fixture
def client(plane: ControlPlane, agent: AgentProcess) -> Iterator[GreengrassCoreIPCClientV2]:
    """As the component `app`, which may do everything, beside another."""
    app = plane.release(recipe("app", configuration=policies("app", level=3)))
    revision = plane.want(app, plane.release(recipe("other")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    found = _client(agent, "app")
    yield found
    with contextlib.suppress(AwsCrtError):  # the agent may be gone
        found.close().result(PATIENCE)


def _states(client: GreengrassCoreIPCClientV2) -> dict[str, str]:
    return {one.component_name: one.state for one in client.list_components().components}


def test_awsiotsdk_sees_restarts_and_stops_real_components(
    agent: AgentProcess, client: GreengrassCoreIPCClientV2
) -> None:
    assert _states(client) == {"app": "RUNNING", "other": "RUNNING"}
    details = client.get_component_details(component_name="app").component_details
    assert (details.version, details.configuration) == ("1.0.0", policies("app", level=3))
    before = _pids(agent, "other")
    assert client.restart_component(component_name="other").restart_status == "SUCCEEDED"
    eventually(lambda: (now := _pids(agent, "other")) and not now & before)
    assert client.stop_component(component_name="other").stop_status == "SUCCEEDED"
    eventually(lambda: not _pids(agent, "other"))
    assert client.restart_component(component_name="other").restart_status == "SUCCEEDED"
    eventually(lambda: _pids(agent, "other"))
    with pytest.raises(m.ComponentNotFoundError):
        client.restart_component(component_name="nobody")


def test_awsiotsdk_pauses_a_real_component_or_says_why_not(
    agent: AgentProcess, client: GreengrassCoreIPCClientV2
) -> None:
    refusal: m.ServiceError | None = None
    try:
        client.pause_component(component_name="other")
    except m.ServiceError as error:
        refusal = error
    assert refusal is None or refusal.context["code"] == "component.cannot_pause"
    client.resume_component(component_name="other")
    assert _pids(agent, "other")


def test_awsiotsdk_a_component_changes_its_configuration_for_good(
    agent: AgentProcess, client: GreengrassCoreIPCClientV2
) -> None:
    before = _pids(agent, "app")
    client.update_configuration(timestamp=NOW, value_to_merge={"level": 4})
    assert client.get_configuration(key_path=["level"]).value == {"level": 4}
    assert agent.configuration("app")["level"] == 4
    with pytest.raises(m.FailedUpdateConditionCheckError):
        client.update_configuration(timestamp=NOW - datetime.timedelta(hours=1), value_to_merge={"level": 5})
    assert _pids(agent, "app") == before
    agent.kill()
    agent.start()
    eventually(lambda: (now := _pids(agent, "app")) and not now & before)
    again = _client(agent, "app")
    assert again.get_configuration(key_path=["level"]).value == {"level": 4}
    again.close().result(PATIENCE)


def test_awsiotsdk_gets_a_real_secret_and_its_metrics_reach_the_control_plane(
    plane: ControlPlane, agent: AgentProcess, client: GreengrassCoreIPCClientV2
) -> None:
    version = Secrets(agent.paths.secrets, open_keys(agent.paths)).set("camera", b"\0password")
    answer = client.get_secret_value(secret_id="camera")
    assert (answer.version_id, answer.version_stage) == (version, ["AWSCURRENT"])
    assert answer.secret_value.secret_binary == b"\0password" or answer.secret_value.secret_string == "\0password"
    with pytest.raises(m.ResourceNotFoundError):
        client.get_secret_value(secret_id="nothing")
    client.put_component_metric(metrics=[m.Metric(name="frames", unit="COUNT", value=7.0)])
    client.restart_component(component_name="other")  # something to report
    eventually(lambda: any(b"frames" in msgspec.json.encode(one) for one in list(plane.reports)))


def test_awsiotsdk_says_that_a_component_has_started(plane: ControlPlane, agent: AgentProcess) -> None:
    lifecycle = {"Startup": {"Script": SLEEPER, "Timeout": 60}}
    revision = plane.want(plane.release(recipe("slow", configuration=policies("slow"), **lifecycle)))
    agent.start()
    client = _client(agent, "slow")
    assert not [one for one in plane.reports if one.phase is Phase.HEALTHY]
    client.update_state(state="RUNNING")
    plane.wait_report(revision, Phase.HEALTHY)
    client.close().result(PATIENCE)


def test_awsiotsdk_deploys_a_component_from_folders_of_the_device(
    agent: AgentProcess, client: GreengrassCoreIPCClientV2, tmp_path: Path
) -> None:
    recipes, artifacts = tmp_path / "recipes", tmp_path / "artifacts"
    recipes.mkdir()
    artifacts.mkdir()
    made: dict[str, Any] = recipe("local", configuration={"a": 1})
    (recipes / "local-1.0.0.json").write_bytes(msgspec.json.encode(made))
    answer = client.create_local_deployment(
        root_component_versions_to_add={"local": "1.0.0"},
        component_to_configuration={"local": {"MERGE": {"a": 2}}},
        recipe_directory_path=str(recipes),
        artifacts_directory_path=str(artifacts),
    )
    status = lambda: client.get_local_deployment_status(deployment_id=answer.deployment_id).deployment  # noqa: E731
    eventually(lambda: status().status not in ("QUEUED", "IN_PROGRESS"))
    assert status().status == "SUCCEEDED"
    assert answer.deployment_id in [one.deployment_id for one in client.list_local_deployments().local_deployments]
    assert agent.configuration("local") == {"a": 2}
    removal = client.create_local_deployment(root_components_to_remove=["local"])
    eventually(lambda: not _pids(agent, "local"))
    with pytest.raises(m.ResourceNotFoundError):
        client.cancel_local_deployment(deployment_id="nothing")
    with contextlib.suppress(m.ConflictError):  # it may have ended by now
        client.cancel_local_deployment(deployment_id=removal.deployment_id)
