"""Deployment documents: Greengrass V2 JSON in, a stored deployment or one clear refusal out."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.component import Component
from lineside.contract.deployment import (
    ComponentSpec,
    ConfigurationUpdate,
    DeploymentDocument,
    DeploymentPolicies,
    ResourceLimits,
    RunWith,
    UpdatePolicy,
    ValidationPolicy,
)
from lineside.contract.desired import Desired
from lineside.contract.device import JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.model import ModelState
from lineside.contract.recipes.builtin import builtin_digest, builtin_target
from lineside.contract.trust import release_target
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.components.service import Components
from lineside.server.components.testing import KnownModels, model_version, release
from lineside.server.deployments import model
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.rollouts.assignments import Assignments
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
                release(self.components, session, made)
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
        assert office.deployments.page(session).deployments == (made,)
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


def _flip(office, digest: str) -> None:
    """Other bytes under an object's name, as who holds the machine can write them."""
    value = digest.removeprefix("sha256:")
    (office.core.root / "objects" / "sha256" / value[:2] / value).write_bytes(b"changed")


@pytest.mark.parametrize(("file", "why"), [("model.onnx", r"model\.onnx was changed"), ("", "its recipe was changed")])
@pytest.mark.parametrize("named", [True, False])
def test_a_changed_artifact_voids_an_approval(office, file, why, named):
    files, _ = office.model(1, ModelState.APPROVED)
    digests = {one.name: one.digest for one in files.artifacts}
    _flip(office, digests.get(file, files.recipe_digest))
    only = {"tags.inference": ComponentSpec(component_version="0.1.0")}
    with pytest.raises(LinesideError, match=r"deployment\.void: tags\.model 1\.0\.0 .*" + why):
        office.deploy(wants() if named else wants(components=only))


def test_an_approval_of_other_numbers_is_void(office):
    office.model(1, ModelState.APPROVED)
    (approved,) = office.known.models
    office.known.models = [msgspec.structs.replace(approved, metrics={}, twin_report=None)]
    with pytest.raises(LinesideError, match=r"deployment\.void: .*its metrics are others") as refused:
        office.deploy(wants())
    assert refused.value.next == "See it: lineside models show tags:1"


def test_what_the_database_calls_signed_and_nobody_signed_is_void(office):
    both = office.model(1, ModelState.AWAITING_APPROVAL)
    with office.core.database.write() as session:
        for one in both:
            row = office.components.row(session, one.name, one.version)
            row.target = release_target(one.kind, one.name, one.version)
    with pytest.raises(LinesideError, match=r"deployment\.void: .*nobody has signed it"):
        office.deploy(wants())


def test_what_a_component_needs_is_added_in_its_newest_released_version(office):
    for version in (1, 2):
        office.model(version, ModelState.APPROVED)
    office.model(3, ModelState.AWAITING_APPROVAL)
    only = {"tags.inference": ComponentSpec(component_version="0.1.0")}
    made = office.deploy(wants(components=only))
    assert {name: spec.component_version for name, spec in made.components.items()} == {
        "tags.inference": "0.1.0",
        "tags.model": "2.0.0",
    }


POLICIES = b"""{
  "groupName": "line", "components": {
    "tags.model": {"componentVersion": "1.0.0"},
    "tags.inference": {"componentVersion": "0.1.0", "runWith": {
      "posixUser": "ggc_user:ggc_group", "systemResourceLimits": {"cpus": 1.5, "memory": 102400}, "windowsUser": "x"}}},
  "deploymentPolicies": {
    "componentUpdatePolicy": {"action": "SKIP_NOTIFY_COMPONENTS", "timeoutInSeconds": 120},
    "configurationValidationPolicy": {"timeoutInSeconds": 15}}
}"""


def assigned(office: Office, made) -> Desired:
    """What device `a` should run once it follows a deployment."""
    with office.core.database.write() as session:
        Assignments(office.core, office.components).assign(
            session, "a", "line", int(made.id.removeprefix("deployment-"))
        )
    with office.core.database.read() as session:
        return DesiredDocuments(office.core).desired(session, "a")


def test_policies_and_run_with_reach_the_device_and_change_the_revision(office):
    office.model(1, ModelState.APPROVED)
    plain = assigned(office, office.deploy(wants()))
    document = msgspec.json.decode(POLICIES, type=DeploymentDocument)
    made = office.deploy(document)
    assert office.deploy(document) == made
    desired = assigned(office, made)
    assert desired.revision == plain.revision + 1
    assert desired.update_policy == UpdatePolicy(action="SKIP_NOTIFY_COMPONENTS", timeout_in_seconds=120)
    assert desired.validation_policy == ValidationPolicy(timeout_in_seconds=15)
    run_with = {one.name: one.run_with for one in desired.components}
    limits = ResourceLimits(memory=102400, cpus=1.5)
    assert run_with == {
        "tags.model": None,
        "tags.inference": RunWith(posix_user="ggc_user:ggc_group", system_resource_limits=limits),
    }
    assert assigned(office, made) == desired  # the same content keeps its revision
    longer = msgspec.json.decode(POLICIES.replace(b"120", b"240"), type=DeploymentDocument)
    assert assigned(office, office.deploy(longer)).revision == desired.revision + 1


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (b"SKIP_NOTIFY_COMPONENTS", b"ASK_NICELY", "deployment.update_action"),
        (b"120", b"-1", "deployment.timeout"),
        (b"15}", b"1e300}", "deployment.timeout"),
        (b"ggc_user:ggc_group", b"a:b:c", "deployment.run_with"),
        (b"102400", b"0", "deployment.run_with"),
        (b"1.5", b"-1.5", "deployment.run_with"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(office, before, after, code):
    office.model(1, ModelState.APPROVED)
    with pytest.raises(LinesideError) as refused:
        office.deploy(msgspec.json.decode(POLICIES.replace(before, after), type=DeploymentDocument))
    assert refused.value.code == code


@pytest.mark.parametrize("version", ["2.15.0", "2.9.1", "^2.0.0", ">=2.5.0 <3.0.0"])
def test_what_comes_with_the_agent_can_be_deployed_in_any_version_it_speaks(office, version):
    office.model(1, ModelState.APPROVED)
    nucleus = {"aws.greengrass.Nucleus": ComponentSpec(component_version=version)}
    made = office.deploy(wants(components=nucleus))
    (component,) = assigned(office, made).components
    assert component.target == builtin_target("aws.greengrass.Nucleus")
    assert component.recipe_digest == builtin_digest("aws.greengrass.Nucleus")
    assert made.components["aws.greengrass.Nucleus"].component_version == component.version


def test_a_version_that_does_not_come_with_the_agent_is_refused(office):
    for version in ("3.0.0", "2.99.0", "<2.0.0"):
        nucleus = {"aws.greengrass.Nucleus": ComponentSpec(component_version=version)}
        with pytest.raises(LinesideError, match=r"deployment\.builtin_version"):
            office.deploy(wants(components=nucleus))


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
        assert office.deployments.page(session).deployments == ()


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
