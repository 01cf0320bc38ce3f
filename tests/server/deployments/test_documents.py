"""Deployment documents against a fleet: requirements, platforms, groups that share devices, the same document again."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from lineside.contract.deployment import ComponentSpec, Deployment, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.rollout import Rate, RolloutPlan
from lineside.server.components.service import Components
from lineside.server.components.testing import KnownModels, release_app
from lineside.server.deployments.service import Deployments
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.rollouts.testing import Fleet
from lineside.server.services import Core

# As `aws greengrassv2 get-deployment` prints it, with the answer's own fields; merge is text there.
AWS = rb"""{
  "targetArn": "arn:aws:iot:eu-central-1:123456789012:thinggroup/line", "revisionId": "14",
  "deploymentId": "5f3a6b1e-6f34-4c4e-8a53-6f4de3f2d6a1", "deploymentName": "from AWS", "deploymentStatus": "ACTIVE",
  "iotJobId": "x", "iotJobArn": "arn:aws:iot:eu-central-1:123456789012:job/x",
  "creationTimestamp": "2026-01-01T00:00:00+00:00", "isLatestForTarget": true, "tags": {"owner": "ana"},
  "components": {
    "a": {"componentVersion": "1.0.0", "configurationUpdate": {"merge": "{\"fps\": 5}", "reset": ["/topic"]}},
    "b": {"componentVersion": "^1.0.0", "runWith": {"posixUser": "ggc_user:ggc_group"}}
  },
  "deploymentPolicies": {
    "failureHandlingPolicy": "ROLLBACK",
    "componentUpdatePolicy": {"timeoutInSeconds": 60, "action": "NOTIFY_COMPONENTS"},
    "configurationValidationPolicy": {"timeoutInSeconds": 60}
  },
  "iotJobConfiguration": {"jobExecutionsRolloutConfig": {"maximumPerMinute": 100}}
}"""


class Launches:
    """Launches nothing, and remembers."""

    def __init__(self) -> None:
        self.launched: list[Deployment] = []
        self.ended: set[str] = set()

    def launch(self, session: Session, deployment: Deployment) -> None:
        self.launched.append(deployment)

    def stopped(self, session: Session, deployment: Deployment) -> bool:
        return deployment.id in self.ended

    def leads(self, session: Session, deployment: Deployment) -> bool:
        return deployment.id not in self.ended


class Counter:
    """Where documents are handed in."""

    def __init__(self, core: Core) -> None:
        self.core, self.launches = core, Launches()
        self.components = Components(core)
        self.deployments = Deployments(core, self.components, KnownModels(), self.launches)
        for version in ("1.0.0", "1.4.0", "2.0.0"):
            release_app(self.components, core.database, "a", version)
        release_app(self.components, core.database, "b", "1.0.0")
        Fleet(core).join("one", "two")

    def deploy(self, group: str = "line", plan: RolloutPlan | None = None, **components: str) -> Deployment:
        specs = {name: ComponentSpec(component_version=version) for name, version in components.items()}
        return self.hand_in(DeploymentDocument(group_name=group, components=specs, rollout=plan))

    def hand_in(self, document: DeploymentDocument) -> Deployment:
        with self.core.database.write() as session:
            return self.deployments.create(session, document)

    def join(self, device: str, group: str) -> None:
        with self.core.database.write() as session:
            session.add(GroupRow(device=device, group=group))

    def platform(self, device: str, system: str, architecture: str) -> None:
        with self.core.database.write() as session:
            named = update(DeviceRow).where(DeviceRow.name == device)
            session.execute(named.values(os=system, architecture=architecture))


@pytest.fixture
def counter(core: Core) -> Counter:
    return Counter(core)


def versions(deployment: Deployment) -> dict[str, str]:
    return {name: spec.component_version for name, spec in deployment.components.items()}


def test_what_aws_prints_is_accepted_as_it_is(counter):
    made = counter.hand_in(msgspec.json.decode(AWS, type=DeploymentDocument))
    assert (made.group, made.name, made.plan.rate) == ("line", "from AWS", Rate(per_minute=100))
    assert made.components["a"].configuration_update.merge == {"fps": 5}
    assert made.components["a"].configuration_update.reset == ("/topic",)
    assert [note.split()[0] for note in made.notes] == ["tags"]
    with counter.core.database.read() as session:
        stored = counter.deployments.get(session, made.id)
    assert stored == msgspec.structs.replace(made, notes=())
    assert counter.launches.launched == [stored]


def test_a_requirement_is_kept_as_it_was_asked_and_resolved_once(counter):
    made = counter.deploy(a="^1.0.0")
    assert (versions(made), made.asked) == ({"a": "1.4.0"}, {"a": "^1.0.0"})
    release_app(counter.components, counter.core.database, "a", "1.5.0")
    with counter.core.database.read() as session:
        assert versions(counter.deployments.get(session, made.id)) == {"a": "1.4.0"}
    again = counter.deploy(a="^1.0.0")
    assert again.id != made.id
    assert versions(again) == {"a": "1.5.0"}


def test_a_requirement_that_nothing_meets_lists_what_is_released(counter):
    with pytest.raises(LinesideError) as refused:
        counter.deploy(a="^3.0.0")
    assert refused.value.message == "No released version of a meets ^3.0.0. Released: 1.0.0, 1.4.0, 2.0.0."
    with pytest.raises(LinesideError, match=r"component\.unknown: "):
        counter.deploy(zzz="^3.0.0")
    with pytest.raises(LinesideError, match=r"recipe\.version"):
        counter.deploy(a="newest")


def test_another_plan_or_requirement_is_another_deployment_and_the_same_is_the_same(counter):
    first = counter.deploy(a="1.4.0")
    assert counter.deploy(a="1.4.0") == first
    assert counter.deploy(a="1.4.0", plan=RolloutPlan()) == first
    asked = counter.deploy(a="^1.4.0")
    assert asked.id != first.id
    slow = counter.deploy(a="^1.4.0", plan=RolloutPlan(rate=Rate(per_minute=5)))
    assert slow.id != asked.id
    assert counter.deploy(a="^1.4.0", plan=RolloutPlan(rate=Rate(per_minute=5))) == slow
    counter.launches.ended.add(slow.id)
    assert counter.deploy(a="^1.4.0", plan=RolloutPlan(rate=Rate(per_minute=5))).id != slow.id


def test_groups_that_share_a_device_must_go_together(counter):
    counter.join("two", "cell")
    counter.deploy("line", a="^1.0.0")
    with pytest.raises(LinesideError) as refused:
        counter.deploy("cell", a="2.0.0")
    assert refused.value.message == (
        "The groups line and cell want what does not go together: of a, line asks for ^1.0.0, cell asks for 2.0.0."
    )
    assert versions(counter.deploy("cell", a=">=1.0.0")) == {"a": "2.0.0"}  # of those two devices, `two` runs 1.4.0


def test_groups_that_share_no_device_need_not_go_together(counter):
    counter.deploy("line", a="^1.0.0")
    Fleet(counter.core).join("three", group="cell")
    assert counter.deploy("cell", a="2.0.0").group == "cell"


def test_what_was_stopped_is_not_held_against_another_group(counter):
    counter.join("two", "cell")
    counter.deploy("line", a=">=1.0.0")
    counter.launches.ended.add(counter.deploy("line", a="1.0.0").id)
    assert counter.deploy("cell", a="2.0.0").group == "cell"


def test_every_platform_of_the_group_needs_a_manifest(counter):
    release_app(counter.components, counter.core.database, "c", "1.0.0", "amd64", "aarch64")
    counter.platform("one", "linux", "amd64")
    assert counter.deploy(c="1.0.0").group == "line"
    counter.platform("two", "linux", "arm")
    with pytest.raises(LinesideError) as refused:
        counter.deploy(c="1.0.0", a="1.0.0")
    assert refused.value.message == "c 1.0.0 has no manifest for linux arm, the platform of a device of the group line."
