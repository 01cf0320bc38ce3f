"""Previews: what a document would come to for each part of its group, and nothing stored."""

from __future__ import annotations

import pytest

from lineside.contract.deployment import ComponentSpec, DeploymentDocument, DeploymentPreview
from lineside.contract.errors import LinesideError
from lineside.contract.rollout import RolloutPlan, WaveSpec
from lineside.server.components.testing import release_app
from lineside.server.rollouts.preview import Previews
from lineside.server.services import Core
from tests.server.rollouts.test_assignments import Desk, join


@pytest.fixture
def desk(core: Core) -> Desk:
    made = Desk(core)
    for version in ("1.0.0", "1.5.0", "2.0.0"):
        made.release("a", version)
    made.fleet.join(*(f"d{number}" for number in range(10)))
    return made


def preview(desk: Desk, plan: RolloutPlan | None = None, **components: str) -> DeploymentPreview:
    specs = {name: ComponentSpec(component_version=version) for name, version in components.items()}
    document = DeploymentDocument(group_name="line", components=specs, rollout=plan)
    with desk.core.database.read() as session:
        return Previews(desk.deployments, desk.assignments).preview(session, document)


def test_waves_are_counted_and_a_group_of_equal_devices_is_one_part(desk):
    plan = RolloutPlan(waves=(WaveSpec(count=1, name="canary"), WaveSpec(percent=50)))
    shown = preview(desk, plan, a="^1.0.0")
    assert [(wave.name, wave.devices) for wave in shown.waves] == [("canary", 1), ("wave 2", 4), ("wave 3", 5)]
    (part,) = shown.parts
    assert (part.devices, part.components, part.conflict) == (10, {"a": "1.5.0"}, None)
    assert (shown.asked, shown.refused, shown.same_as) == ({"a": "^1.0.0"}, None, None)


def test_who_is_in_another_group_too_is_shown_apart_with_the_conflict(desk):
    for name in ("d0", "d1"):
        join(desk, name, "cell")
    cell = desk.deploy("cell", a="<2.0.0")
    desk.assign(["d0", "d1"], "cell", cell)
    shown = preview(desk, a="2.0.0")
    assert [(part.devices, part.beside) for part in shown.parts] == [(8, ()), (2, (f"deployment-{cell}",))]
    assert shown.parts[1].components == {}
    assert shown.parts[1].conflict is not None
    assert shown.parts[1].conflict.code == "deployment.conflict"
    assert shown.refused is not None
    assert shown.refused.message == shown.parts[1].conflict.message
    assert preview(desk, a=">=1.0.0").parts[1].components == {"a": "1.5.0"}


def test_what_the_group_wants_already_is_said(desk):
    number = desk.deploy("line", a="1.0.0")
    assert preview(desk, a="1.0.0").same_as == f"deployment-{number}"
    release_app(desk.components, desk.core.database, "b", "1.0.0")
    assert preview(desk, a="1.0.0", b="*").same_as is None
    with desk.core.database.read() as session:
        assert desk.deployments.page(session).total == 1


def test_what_could_not_be_deployed_to_anybody_is_refused(desk):
    with pytest.raises(LinesideError, match=r"deployment\.no_version"):
        preview(desk, a="^7.0.0")
