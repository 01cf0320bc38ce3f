"""Deliveries: through the twins, approval and waves by themselves; started by hand and by rules."""

from __future__ import annotations

import pytest

from lineside.contract.delivery import DeliveryState, RuleRequest
from lineside.contract.deployment import ComponentSpec, ConfigurationUpdate, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState
from lineside.contract.rollout import Rate, RolloutPlan, RolloutState, WaveSpec
from lineside.server.components.testing import release_app
from lineside.server.services import Core
from tests.server.deliveries.office import Office

AT_ONCE = RolloutPlan(waves=(WaveSpec(percent=100),))


@pytest.fixture
def office(core: Core) -> Office:
    made = Office(core)
    made.fleet.join("a", "b")
    made.register(1)
    return made


def test_a_candidate_goes_through_twins_approval_and_waves_by_itself(office):
    started = office.start(model="tags", plan=AT_ONCE)
    assert (started.what, started.state) == ("tags:1", DeliveryState.PACKAGING)
    office.tick()
    assert office.show(started.id).note == "There is no twin: lineside twin start"
    office.stage(1)
    office.tick()
    assert office.show(started.id).state is DeliveryState.TWIN
    office.move(1, ModelState.AWAITING_APPROVAL)
    office.tick()
    waiting = office.show(started.id)
    assert (waiting.state, waiting.note) == (DeliveryState.APPROVAL, "Nobody has approved it yet.")
    assert office.runs("a") == {}
    office.sign(1)
    office.tick()
    on_its_way = office.show(started.id)
    assert (on_its_way.state, on_its_way.rollout) == (DeliveryState.ROLLOUT, "rollout-1")
    assert office.runs("a") == office.runs("b") == {"tags.model": "1.0.0", "tags.inference": "0.1.0"}
    office.answer("a", "b")
    done = office.show(started.id)
    assert done.state is DeliveryState.DELIVERED
    assert done.finished_at is not None
    assert [moved.wanted for moved in done.history] == ["twin", "approval", "rollout", "delivered"]


def test_what_is_under_way_is_that_one_again_and_a_newer_version_supersedes_it(office):
    first = office.start(model="tags:1")
    assert office.start(model="tags:1").id == first.id
    office.register(2)
    second = office.start(model="tags")
    assert second.what == "tags:2"
    assert office.show(first.id).state is DeliveryState.SUPERSEDED
    assert office.start(model="tags:2", plan=AT_ONCE).id != second.id


def test_a_delivery_ends_with_its_model(office):
    started = office.start(model="tags:1")
    office.move(1, ModelState.REJECTED, reason="misses scratches")
    office.tick()
    ended = office.show(started.id)
    assert (ended.state, ended.note) == (DeliveryState.FAILED, "tags:1 is rejected: misses scratches.")
    with pytest.raises(LinesideError, match=r"delivery\.hopeless: tags:1 cannot be delivered: it is rejected"):
        office.start(model="tags:1")


def test_cancelling_stops_its_rollout_too(office):
    office.approve(1)
    started = office.start(model="tags:1")
    office.tick()
    assert office.show(started.id).state is DeliveryState.ROLLOUT
    ended = office.cancel(started.id)
    assert (ended.state, ended.finished_at is not None) == (DeliveryState.CANCELLED, True)
    with office.core.database.read() as session:
        assert office.rollouts.show(session, str(ended.rollout)).state is RolloutState.ABORTED
    with pytest.raises(LinesideError, match=r"delivery\.ended"):
        office.cancel(started.id)
    office.tick()
    assert office.show(started.id).state is DeliveryState.CANCELLED


def test_what_else_the_group_runs_stays_as_it_is(office):
    release_app(office.components, office.core.database, "camera", "1.0.0")
    release_app(office.components, office.core.database, "camera", "1.1.0")
    fps = ConfigurationUpdate(merge={"fps": 5})
    spec = ComponentSpec(component_version="~1.0.0", configuration_update=fps)
    plan = RolloutPlan(rate=Rate(per_minute=60))
    with office.core.database.write() as session:
        office.deployments.create(
            session, DeploymentDocument(group_name="line", components={"camera": spec}, rollout=plan)
        )
    office.approve(1)
    started = office.start(model="tags:1")
    office.tick()
    with office.core.database.read() as session:
        made = office.deployments.get(session, str(office.show(started.id).deployment))
    assert made.asked == {"camera": "~1.0.0", "tags.model": "1.0.0", "tags.inference": "0.1.0"}
    assert made.components["camera"].component_version == "1.0.0"
    assert made.components["camera"].configuration_update == fps
    assert made.plan == plan


def test_a_component_waits_for_its_signature_only(office):
    release_app(office.components, office.core.database, "camera", "1.0.0")
    started = office.start(component="camera 1.0.0", plan=AT_ONCE)
    assert started.state is DeliveryState.APPROVAL
    office.tick()
    assert office.runs("a") == {"camera": "1.0.0"}
    office.answer("a", "b")
    assert office.show(started.id).state is DeliveryState.DELIVERED


def test_what_the_deployment_refuses_fails_the_delivery_and_holds_no_other(office):
    release_app(office.components, office.core.database, "camera", "1.0.0", "riscv")
    with office.core.database.write() as session:
        session.connection().exec_driver_sql("UPDATE devices SET os = 'linux', architecture = 'amd64'")
    refused = office.start(component="camera 1.0.0")
    office.approve(1)
    good = office.start(model="tags:1")
    office.tick()
    assert office.show(refused.id).state is DeliveryState.FAILED
    assert "no manifest for linux amd64" in office.show(refused.id).note
    assert office.show(good.id).state is DeliveryState.ROLLOUT


def test_one_that_fails_in_a_way_nobody_foresaw_holds_no_other(office, monkeypatch):
    office.register(1, "nuts")
    first, second = office.start(model="nuts:1"), office.start(model="tags:1")
    step = office.deliveries.step

    def failing(session: object, id_: str) -> None:
        if id_ == first.id:
            raise KeyError("nobody foresaw it")
        step(session, id_)

    monkeypatch.setattr(office.deliveries, "step", failing)
    with pytest.raises(KeyError):
        office.loop.step()
    assert office.show(second.id).note == "There is no twin: lineside twin start"


def test_what_was_superseded_or_goes_back_is_no_part_of_a_delivery(office):
    def deploy(version: str) -> str:
        document = DeploymentDocument(
            group_name="line", components={"camera": ComponentSpec(component_version=version)}, rollout=AT_ONCE
        )
        with office.core.database.write() as session:
            return office.deployments.create(session, document).rollout

    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release_app(office.components, office.core.database, "camera", version)
    deploy("1.0.0")
    office.tick()
    office.answer("a", "b")
    deploy("2.0.0")
    office.tick()
    failing = deploy("3.0.0")
    office.tick()
    with office.core.database.write() as session:
        office.rollouts.roll_back(session, failing)
    office.approve(1)
    office.start(model="tags:1")
    office.tick()
    assert office.runs("a") == {"camera": "1.0.0", "tags.model": "1.0.0", "tags.inference": "0.1.0"}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "delivery.unclear"),
        ({"model": "tags", "component": "camera 1.0.0"}, "delivery.unclear"),
        ({"model": "tags:x"}, "delivery.unclear"),
        ({"model": "nuts"}, "request.not_found"),
        ({"model": "tags:9"}, "request.not_found"),
        ({"component": "camera"}, "delivery.unclear"),
        ({"component": "camera 1.0.0"}, "component.unknown"),
        ({"model": "tags", "group": "nowhere"}, "deployment.unknown_group"),
        ({"model": "tags", "group": "twins"}, "deployment.unknown_group"),
        ({"model": "tags", "plan": RolloutPlan(waves=(WaveSpec(percent=200),))}, "rollout.plan_invalid"),
    ],
)
def test_what_cannot_be_delivered_is_refused_and_nothing_is_stored(office, request_, code):
    with pytest.raises(LinesideError) as refused:
        office.start(**request_)
    assert refused.value.code == code
    assert office.all() == []


# --- rules ----------------------------------------------------------------------------------------------------------


def rule(office: Office, **more: object):
    with office.core.database.write() as session:
        return office.rules.create(session, RuleRequest(**({"model": "tags", "group": "line"} | more)))


def test_a_rule_delivers_every_version_that_is_approved_from_then_on(office, clock):
    office.approve(1)
    clock.advance(1)
    made = rule(office, plan=AT_ONCE)
    office.tick()
    assert office.all() == []
    office.register(2)
    clock.advance(1)
    office.approve(2)
    for _ in range(2):
        office.tick()
    (delivery,) = office.all()
    assert (delivery.what, delivery.cause, delivery.plan) == ("tags:2", f"{made.id} of control plane", AT_ONCE)
    assert office.runs("a")["tags.model"] == "2.0.0"


def test_a_rule_is_content_with_a_delivery_that_somebody_started(office):
    rule(office)
    started = office.start(model="tags:1")
    office.approve(1)
    office.tick()
    assert [one.id for one in office.all()] == [started.id]
    assert office.show(started.id).state is DeliveryState.ROLLOUT


def test_a_rule_made_again_changes_its_plan_and_one_that_is_removed_starts_nothing(office):
    first = rule(office)
    again = rule(office, plan=AT_ONCE)
    assert (again.id, again.plan) == (first.id, AT_ONCE)
    with office.core.database.write() as session:
        office.rules.remove(session, first.id)
    office.approve(1)
    office.tick()
    assert office.all() == []
    with pytest.raises(LinesideError, match=r"request\.not_found"), office.core.database.write() as session:
        office.rules.remove(session, first.id)


def test_pages_of_deliveries_continue(office):
    for version in (2, 3):
        office.register(version)
    ids = [office.start(model=f"tags:{version}").id for version in (1, 2, 3)]
    with office.core.database.read() as session:
        page = office.deliveries.page(session, limit=2)
        rest = office.deliveries.page(session, page.next, limit=2)
    assert [one.id for one in page.deliveries + rest.deliveries] == ids[::-1]
    assert (page.total, rest.next) == (3, None)
