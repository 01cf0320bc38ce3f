"""AWS's own SDK, both clients: components, local deployments, secrets, metrics, tokens, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awsiot.greengrasscoreipc
import pytest
from awsiot.eventstreamrpc import AccessDeniedError
from awsiot.greengrasscoreipc import model as m

from lineside.agent.bus import operations
from lineside.agent.bus.ports import LocalDeployment, Metric, Secret
from lineside.contract.deployment import ResourceLimits, RunWith
from tests.agent.bus.harness import PATH, House
from tests.agent.bus.sdk import Sdk

both = pytest.mark.parametrize("version", [1, 2])


@both
def test_awsiotsdk_lists_components(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    found = sdk.call(m.ListComponentsRequest()).components
    assert [one.component_name for one in found] == sorted(house.host.configurations)
    one = sdk.call(m.GetComponentDetailsRequest(component_name="app")).component_details
    assert (one.component_name, one.version, one.state) == ("app", "1.0.0", "RUNNING")
    assert one.configuration == house.host.configurations["app"]
    with pytest.raises(m.ResourceNotFoundError):
        sdk.call(m.GetComponentDetailsRequest(component_name="nobody"))
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.GetComponentDetailsRequest())


@both
@pytest.mark.parametrize(
    ("request_type", "word", "status"),
    [
        (m.RestartComponentRequest, "restart", "restart_status"),
        (m.StopComponentRequest, "stop", "stop_status"),
        (m.PauseComponentRequest, "pause", None),
        (m.ResumeComponentRequest, "resume", None),
    ],
)
def test_awsiotsdk_acts_on_a_component(
    house: House, version: int, request_type: type[Any], word: str, status: str | None
) -> None:
    sdk = Sdk(house, version)
    answer = sdk.call(request_type(component_name="other"))
    assert house.host.calls == [(word, "other")]
    assert status is None or getattr(answer, status) == "SUCCEEDED"
    with pytest.raises(m.ComponentNotFoundError):
        sdk.call(request_type(component_name="nobody"))
    with pytest.raises(m.UnauthorizedError):
        Sdk(house, version, "poor").call(request_type(component_name="other"))


@both
def test_awsiotsdk_deploys_locally(house: House, version: int, tmp_path: Path) -> None:
    limits = m.SystemResourceLimits(memory=1024, cpus=0.5)
    sdk = Sdk(house, version)
    answer = sdk.call(
        m.CreateLocalDeploymentRequest(
            group_name="ignored",
            root_component_versions_to_add={"a": "1.0.0"},
            root_components_to_remove=["b"],
            component_to_configuration={"a": {"MERGE": {"x": None}, "RESET": ["/y"]}, "c": {"RESET": [""]}},
            component_to_run_with_info={"a": m.RunWithInfo(posix_user="u:g", system_resource_limits=limits)},
            recipe_directory_path=str(tmp_path),
            artifacts_directory_path=str(tmp_path),
            failure_handling_policy="DO_NOTHING",
        )
    )
    (request,) = house.host.requests
    assert (request.add, request.remove, request.failure_policy) == ({"a": "1.0.0"}, ("b",), "DO_NOTHING")
    assert (request.merge, request.reset) == ({"a": {"x": None}}, {"a": ("/y",), "c": ("",)})
    wanted = RunWith(posix_user="u:g", system_resource_limits=ResourceLimits(memory=1024, cpus=0.5))
    assert request.run_with == {"a": wanted}
    assert request.recipes == request.artifacts == str(tmp_path)
    status = sdk.call(m.GetLocalDeploymentStatusRequest(deployment_id=answer.deployment_id)).deployment
    assert (status.deployment_id, status.status) == (answer.deployment_id, "QUEUED")
    listed = sdk.call(m.ListLocalDeploymentsRequest()).local_deployments
    assert [one.deployment_id for one in listed] == [answer.deployment_id]
    assert answer.deployment_id in sdk.call(m.CancelLocalDeploymentRequest(deployment_id=answer.deployment_id)).message
    assert house.host.calls == [("cancel", answer.deployment_id)]


@both
def test_awsiotsdk_sees_how_a_deployment_ended(house: House, version: int) -> None:
    house.host.queued = [
        LocalDeployment(id="1", status="FAILED", created_at=0.0, error="it crashed"),
        LocalDeployment(id="2", status="SUCCEEDED", created_at=86400.0),
    ]
    failed, succeeded = Sdk(house, version).call(m.ListLocalDeploymentsRequest()).local_deployments
    assert failed.deployment_status_details.deployment_failure_cause == "it crashed"
    assert succeeded.deployment_status_details.detailed_deployment_status == "SUCCESSFUL"
    assert succeeded.created_on == "1970-01-02 00:00:00 UTC"


@both
def test_awsiotsdk_bad_local_deployments_are_refused(house: House, version: int, tmp_path: Path) -> None:
    sdk = Sdk(house, version)
    with pytest.raises(m.InvalidRecipeDirectoryPathError):
        sdk.call(m.CreateLocalDeploymentRequest(recipe_directory_path=str(tmp_path / "no")))
    with pytest.raises(m.InvalidArtifactsDirectoryPathError):
        sdk.call(m.CreateLocalDeploymentRequest(artifacts_directory_path="relative"))
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.CreateLocalDeploymentRequest(failure_handling_policy="PANIC"))
    for request in (m.GetLocalDeploymentStatusRequest, m.CancelLocalDeploymentRequest):
        with pytest.raises(m.ResourceNotFoundError):
            sdk.call(request(deployment_id="nothing"))
    assert house.host.requests == []


@both
def test_awsiotsdk_gets_secrets(house: House, version: int) -> None:
    house.host.secrets = {
        "text": Secret(id="text", version="v1", stages=("AWSCURRENT",), text="ä"),
        "data": Secret(id="data", version="v1", stages=("AWSCURRENT", "X"), data=b"\0\xff"),
    }
    sdk = Sdk(house, version)
    answer = sdk.call(m.GetSecretValueRequest(secret_id="text", refresh=True))
    assert (answer.secret_id, answer.version_id, answer.version_stage) == ("text", "v1", ["AWSCURRENT"])
    assert (answer.secret_value.secret_string, answer.secret_value.secret_binary) == ("ä", None)
    answer = sdk.call(m.GetSecretValueRequest(secret_id="data", version_stage="X"))
    assert (answer.secret_value.secret_string, answer.secret_value.secret_binary) == (None, b"\0\xff")
    assert sdk.call(m.GetSecretValueRequest(secret_id="data", version_id="v1")).version_id == "v1"
    for request in (
        m.GetSecretValueRequest(secret_id="none"),
        m.GetSecretValueRequest(secret_id="text", version_id="v2"),
        m.GetSecretValueRequest(secret_id="text", version_stage="AWSPREVIOUS"),
    ):
        with pytest.raises(m.ResourceNotFoundError):
            sdk.call(request)
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.GetSecretValueRequest(secret_id="text", version_id="v1", version_stage="X"))
    with pytest.raises(m.UnauthorizedError):
        Sdk(house, version, "poor").call(m.GetSecretValueRequest(secret_id="text"))


@both
def test_awsiotsdk_puts_metrics(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    good = m.Metric(name="frames", unit="COUNT", value=2.5)
    sdk.call(m.PutComponentMetricRequest(metrics=[good, good]))
    assert house.host.measured == [("app", Metric(name="frames", unit="COUNT", value=2.5))] * 2
    for metrics in (
        [],
        [m.Metric(name="", unit="COUNT", value=1.0)],
        [m.Metric(name="x" * 33, unit="COUNT", value=1.0)],
        [good, m.Metric(name="a", unit="PINTS", value=1.0)],
        [good, m.Metric(name="a", unit="COUNT", value=-1.0)],
    ):
        with pytest.raises(m.InvalidArgumentsError):
            sdk.call(m.PutComponentMetricRequest(metrics=metrics))
    with pytest.raises(m.UnauthorizedError):
        Sdk(house, version, "poor").call(m.PutComponentMetricRequest(metrics=[good]))
    assert len(house.host.measured) == 2


@both
def test_awsiotsdk_only_the_stream_manager_validates_tokens(house: House, version: int) -> None:
    token = house.environment("poor")["SVCUID"]
    manager = Sdk(house, version, "aws.greengrass.StreamManager")
    assert manager.call(m.ValidateAuthorizationTokenRequest(token=token)).is_valid
    with pytest.raises(m.InvalidTokenError):
        manager.call(m.ValidateAuthorizationTokenRequest(token="wrong"))
    with pytest.raises(m.UnauthorizedError):
        Sdk(house, version).call(m.ValidateAuthorizationTokenRequest(token=token))


def test_awsiotsdk_a_wrong_token_is_denied_at_once(house: House) -> None:
    path = house.environment()[PATH]
    with pytest.raises(AccessDeniedError):
        awsiot.greengrasscoreipc.connect(ipc_socket=path, authtoken="WRONG")
    assert Sdk(house, 1).call(m.GetConfigurationRequest()).component_name == "app"


_PAYLOADS: dict[str, dict[str, Any]] = {
    "GetThingShadow": {"thing_name": "t"},
    "UpdateThingShadow": {"thing_name": "t", "payload": b"{}"},
    "DeleteThingShadow": {"thing_name": "t"},
    "ListNamedShadowsForThing": {"thing_name": "t"},
    "CreateDebugPassword": {},
    "AuthorizeClientDeviceAction": {"client_device_auth_token": "t", "operation": "o", "resource": "r"},
    "GetClientDeviceAuthToken": {"credential": m.CredentialDocument()},
    "VerifyClientDeviceIdentity": {"credential": m.ClientDeviceCredential()},
    "SubscribeToCertificateUpdates": {"certificate_options": m.CertificateOptions(certificate_type="SERVER")},
}


@both
@pytest.mark.parametrize("operation", operations.UNSUPPORTED)
def test_awsiotsdk_what_the_bus_does_not_do_is_refused_by_name(house: House, version: int, operation: str) -> None:
    request = getattr(m, f"{operation}Request")(**_PAYLOADS[operation])
    sdk = Sdk(house, version)
    with pytest.raises(m.ServiceError) as caught:
        sdk.open(request) if operation.startswith("Subscribe") else sdk.call(request)
    assert operation in caught.value.message
    assert caught.value.context["code"] == "bus.unsupported"


def test_awsiotsdk_knows_no_operation_that_the_bus_has_no_answer_for(house: House) -> None:
    theirs = {
        one._model_name().removeprefix("aws.greengrass#")
        for name, one in vars(m).items()
        if name.startswith("_") and name.endswith("Operation")
    }
    ours = set(house.bus._server._protocol._operations)
    assert len(theirs) == 35
    assert ours | set(operations.UNSUPPORTED) == theirs
    assert not ours & set(operations.UNSUPPORTED)
