"""A model's way through its twin test, with twins that answer as a test lets them."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.approval import TwinReport, shortfalls
from lineside.contract.component import AddComponent
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import InquiryKind, InquiryRequest
from lineside.contract.model import Decision, ModelState
from lineside.contract.reported import Phase
from lineside.contract.twin import TestResult, TwinState
from lineside.server.components.own import OwnComponents
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.store import wanted_of
from lineside.server.twins.testing import Answered, answer_twins
from tests.server.loops.loop_story import House

PROBE = """
RecipeFormatVersion: "2020-01-25"
ComponentName: line.probe
ComponentVersion: 1.0.0
ComponentConfiguration: {DefaultConfiguration: {lineside.tests: {fits: {Script: "true"}}}}
Manifests: [{Lifecycle: {Run: "sleep 1000"}}]
"""


@pytest.fixture
def house(tmp_path):
    (tmp_path / "lineside").mkdir()
    (tmp_path / "lineside" / "__init__.py").write_text("")
    made = House(tmp_path / "root", tmp_path / "lineside")
    made.join()
    yield made
    made.close()


def report_of(house: House, version: int) -> TwinReport:
    digest = house.models.get("tags", version).twin_report
    assert digest is not None
    return msgspec.json.decode(house.core.objects.get(digest), type=TwinReport)


def through(house: House, monkeypatch: pytest.MonkeyPatch, said: Answered, version: int = 1) -> ModelState:
    with monkeypatch.context() as patched:
        patched.setattr("tests.server.loops.loop_story.answer_twins", lambda core: answer_twins(core, said))
        return house.through_the_twins(version)


def wanted(house: House) -> dict[str, str]:
    with house.core.database.read() as session:
        return {one.name: one.version for one in wanted_of(session, "twin")}


def test_a_new_version_is_installed_over_the_approved_one_and_rolled_back_to_it(house):
    house.register(1)
    assert house.through_the_twins(1) is ModelState.AWAITING_APPROVAL
    assert report_of(house, 1).before == {}
    house.models.approve("tags", 1, Decision())
    house.register(2)
    assert house.through_the_twins(2) is ModelState.AWAITING_APPROVAL
    report = report_of(house, 2)
    assert shortfalls(report) == ()
    assert report.before["tags.model"] == report_of(house, 1).recipes["tags.model"] != report.recipes["tags.model"]
    assert len({stage.rollout for stage in report.stages}) == 4  # before, it, back, it again
    test = house.twin_tests.get("tags", 2)
    assert [move.wanted for move in test.history] == [one.value for one in TwinState if one is not TwinState.FAILED]


def test_a_model_that_is_rejected_during_its_test_holds_up_nobody(house):
    house.register(1)
    house.tick()
    assert house.models.get("tags", 1).state is ModelState.IN_TWIN
    house.models.reject("tags", 1, Decision(reason="the labels were wrong"))
    house.tick()
    test = house.twin_tests.get("tags", 1)
    assert (test.state, test.history[-1].why) == (TwinState.FAILED, "tags:1 is rejected by now")
    assert house.models.get("tags", 1).state is ModelState.REJECTED
    house.register(2)
    assert house.through_the_twins(2) is ModelState.AWAITING_APPROVAL


def test_a_rejected_model_does_not_stay_what_the_next_one_is_updated_from(house):
    house.register(1)
    house.through_the_twins(1)
    house.models.reject("tags", 1, Decision(reason="no"))
    house.register(2)
    house.tick()
    assert wanted(house) == {}
    assert house.through_the_twins(2) is ModelState.AWAITING_APPROVAL
    assert report_of(house, 2).before == {}


def test_a_number_over_its_limit_fails_the_model_and_a_retest_may_pass(house, monkeypatch):
    house.register(1)
    assert through(house, monkeypatch, Answered(latency=501.0)) is ModelState.TWIN_FAILED
    why = "twin: latency p95 of tags.inference 501 ms, the limit is 500 ms"
    assert report_of(house, 1).why == why
    assert why in house.models.history("tags", 1)[-1].why
    again = house.models.retest("tags", 1, Decision(reason="the machine was busy"))
    assert (again.state, again.twin_report) == (ModelState.CANDIDATE, None)
    assert house.through_the_twins(1) is ModelState.AWAITING_APPROVAL
    assert house.twin_tests.get("tags", 1).id == "twin-test-2"


def test_what_was_proposed_before_a_retest_is_withdrawn_with_it(house):
    house.register(1)
    house.through_the_twins(1)
    house.models.retest("tags", 1, Decision())
    assert house.models.get("tags", 1).approval is None
    with pytest.raises(LinesideError, match="its twin test is not done"):
        house.models.approve("tags", 1, Decision())


@pytest.mark.parametrize("answered", [Answered(golden="mismatched"), Answered(restarts=1), Answered(peak_mib=5000.0)])
def test_each_number_can_fail_it(house, monkeypatch, answered):
    house.register(1)
    assert through(house, monkeypatch, answered) is ModelState.TWIN_FAILED


def test_only_a_model_that_was_tested_and_not_decided_about_is_tested_again(house):
    house.register(1)
    with pytest.raises(LinesideError, match="it is candidate"):
        house.models.retest("tags", 1, Decision())
    house.through_the_twins(1)
    house.models.approve("tags", 1, Decision())
    with pytest.raises(LinesideError, match="it is approved"):
        house.models.retest("tags", 1, Decision())


def test_what_people_deployed_to_the_twins_stays_and_its_failing_test_fails_the_model(house, monkeypatch):
    own = OwnComponents(house.core, house.components, house.approvals)
    with house.core.database.write() as session:
        own.add(session, own.prepare(AddComponent(recipe=PROBE)), stage=True)
        probe = {"line.probe": ComponentSpec(component_version="1.0.0")}
        house.deployments.create(session, DeploymentDocument(group_name="twins", components=probe))
    house.tick()
    house.answer()
    house.tick()
    house.register(1)
    bad = TestResult(component="line.probe", name="fits", code=1, seconds=0.5, output="12 of 13 fit\n")
    assert through(house, monkeypatch, Answered(tests=(bad,))) is ModelState.TWIN_FAILED
    report = report_of(house, 1)
    assert report.recipes.keys() == {"line.probe", "tags.model", "tags.inference"}
    assert report.before.keys() == {"line.probe"}
    assert report.why == "twin: the test fits of line.probe failed (exit status 1)"
    (run,) = [run for run in report.twins[0].tests if run.name == "fits"]
    assert house.core.objects.get(run.output) == b"12 of 13 fit\n"


def test_only_twins_are_asked_to_measure(house):
    with pytest.raises(LinesideError, match="a is no twin"):
        Inquiries(house.core).ask("a", InquiryRequest(kind=InquiryKind.MEASURE))


def test_twins_that_went_away_fail_the_test(house):
    house.register(1)
    house.tick()
    house.fleet.report("twin", Phase.HEALTHY)
    house.tick()
    house.fleet.revoke("twin")
    house.tick()
    assert house.model() is ModelState.TWIN_FAILED
    assert "no twin is left" in house.models.history("tags", 1)[-1].why
