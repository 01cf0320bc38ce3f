"""Deployment documents: Greengrass V2 JSON in, a stored deployment or one clear refusal out."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.component import Component
from lineside.contract.deployment import ComponentSpec, ConfigurationUpdate, DeploymentDocument, DeploymentPolicies
from lineside.contract.device import JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.model import Decision, ModelState
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.components.service import Components
from lineside.server.components.testing import KnownModels, model_version
from lineside.server.deployments import model
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.testing import Fleet
from lineside.server.services import Core

ARN = "arn:aws:iot:eu-central-1:123456789012:thinggroup/line"


class Office:
    """Where people deploy from."""

    def __init__(self, core: Core) -> None:
        self.core, self.known = core, KnownModels()
        self.components = Components(core)
        self.rollouts = Rollouts(core, DesiredDocuments(core), self.components)
        self.deployments = Deployments(core, self.components, self.known, self.rollouts)
        Fleet(core).join("a")

    def model(self, version: int, state: ModelState) -> tuple[Component, Component]:
        """A model version in a state, with the components it has there."""
        made = model_version(self.core.objects, version, state=state)
        self.known.models.append(made)
        with self.core.database.write() as session:
            staged = self.components.stage(session, self.components.package(session, made))
            if state is ModelState.APPROVED:
                self.components.release(session, made, Decision())
        return staged[0], staged[1]

    def deploy(self, document: DeploymentDocument):
        with self.core.database.write() as session:
            return self.deployments.create(session, document)


@pytest.fixture
def office(core: Core) -> Office:
    return Office(core)


def wants(version: str = "1.0.0", **more) -> DeploymentDocument:
    components = {
        "tags.model": ComponentSpec(component_version=version),
        "tags.inference": ComponentSpec(component_version="0.1.0"),
    }
    return DeploymentDocument(**({"components": components, "group_name": "line"} | more))


def test_a_greengrass_document_is_read_as_it_is_written(office):
    office.model(1, ModelState.APPROVED)
    text = b"""{
      "targetArn": "arn:aws:iot:eu-central-1:123456789012:thinggroup/line", "deploymentName": "first",
      "components": {
        "tags.model": {"componentVersion": "1.0.0"},
        "tags.inference": {
          "componentVersion": "0.1.0", "configurationUpdate": {"merge": {"threads": 2}, "reset": ["/topic"]}
        }
      },
      "deploymentPolicies": {"failureHandlingPolicy": "DO_NOTHING", "componentUpdatePolicy": {"timeoutInSeconds": 60}},
      "iotJobConfiguration": {}
    }"""
    made = office.deploy(msgspec.json.decode(text, type=DeploymentDocument))
    assert (made.group, made.name, made.failure_policy) == ("line", "first", "DO_NOTHING")
    assert made.components["tags.inference"].configuration_update == ConfigurationUpdate(
        merge={"threads": 2}, reset=("/topic",)
    )
    with office.core.database.read() as session:
        assert office.deployments.get(session, made.id) == made
        assert office.deployments.all(session) == [made]
        assert office.rollouts.show(session, made.rollout).deployment == made.id


@pytest.mark.parametrize(
    "names",
    [
        {"group_name": None},
        {"target_arn": ARN, "group_name": "other"},
        {"target_arn": "arn:aws:iot:eu-central-1:123456789012:thing/a", "group_name": None},
        {"group_name": "../x"},
        {"group_name": ""},
    ],
)
def test_a_document_must_name_one_group(office, names):
    with pytest.raises(LinesideError, match=r"deployment\.no_group"):
        office.deploy(wants(**names))


def test_a_group_exists_when_a_device_or_a_join_token_names_it(office):
    office.model(1, ModelState.APPROVED)
    with pytest.raises(LinesideError, match=r"deployment\.unknown_group"):
        office.deploy(wants(group_name="cell"))
    with office.core.database.write() as session:
        JoinTokens(office.core, "00").create(session, JoinTokenRequest(group="cell"))
    assert office.deploy(wants(group_name="cell")).group == "cell"


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (ModelState.AWAITING_APPROVAL, "lineside models approve tags:1"),
        (ModelState.IN_TWIN, "lineside models show tags:1"),
        (ModelState.REJECTED, "lineside models show tags:1"),
    ],
)
def test_a_model_that_is_not_approved_goes_to_twins_only(office, state, command):
    office.model(1, state)
    with pytest.raises(LinesideError, match=r"deployment\.not_released") as refused:
        office.deploy(wants())
    assert f"model tags:1 is {state.value}" in refused.value.message
    assert command in refused.value.next
    assert office.deploy(wants(group_name="twins")).staging


def test_code_that_was_not_released_is_refused_too(office):
    office.model(1, ModelState.AWAITING_APPROVAL)
    only = {"tags.inference": ComponentSpec(component_version="0.1.0")}
    with pytest.raises(LinesideError, match=r"tags\.inference 0\.1\.0 is not released: model tags:1"):
        office.deploy(wants(components=only))


def test_what_a_component_needs_must_be_in_the_document(office):
    office.model(1, ModelState.APPROVED)
    only = {"tags.inference": ComponentSpec(component_version="0.1.0")}
    with pytest.raises(LinesideError, match=r"deployment\.dependency: tags\.inference 0\.1\.0 needs tags\.model"):
        office.deploy(wants(components=only))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (wants("7.0.0"), "component.unknown_version"),
        (wants(components={"x": ComponentSpec(component_version="1.0.0")}), "component.unknown"),
        (wants(deployment_policies=DeploymentPolicies(failure_handling_policy="MAYBE")), "deployment.policy"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_is_stored(office, document, code):
    office.model(1, ModelState.APPROVED)
    with pytest.raises(LinesideError) as refused:
        office.deploy(document)
    assert refused.value.code == code
    with office.core.database.read() as session:
        assert office.deployments.all(session) == []


def test_the_same_content_under_another_name_is_the_same_deployment(office):
    office.model(1, ModelState.APPROVED)
    first = office.deploy(wants())
    assert office.deploy(wants(deployment_name="again", target_arn=ARN)) == first
    changed = {"tags.model": ComponentSpec(component_version="1.0.0")}
    assert office.deploy(wants(components=changed)) != first


def test_a_group_may_be_told_to_run_nothing(office):
    assert office.deploy(wants(components={})).components == {}


@pytest.mark.parametrize("name", ["deployment-0", "deployment-01", f"deployment-{9**30}", "rollout-1", "-", ""])
def test_an_unknown_deployment_is_not_found(office, name):
    office.deploy(wants(components={}))
    with pytest.raises(LinesideError, match=r"request\.not_found"), office.core.database.read() as session:
        office.deployments.get(session, name)


@given(st.text(), st.one_of(st.none(), st.text()))
def test_any_text_is_a_group_or_a_refusal(arn, name):
    document = DeploymentDocument(components={}, target_arn=arn, group_name=name)
    with contextlib.suppress(LinesideError):
        assert is_name(model.group_of(document))
