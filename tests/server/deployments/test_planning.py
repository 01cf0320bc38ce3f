"""Plans of deployment documents: Lineside's own, or AWS IoT's job configuration, read in full or refused."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.deployment import DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.rollout import GateKind, GateRule, Rate, RateOf, RolloutPlan
from lineside.server.deployments.planning import notes_of, plan_of


def document(**keys: object) -> DeploymentDocument:
    return msgspec.convert({"groupName": "line", "components": {}} | keys, DeploymentDocument)


def job(**keys: object) -> DeploymentDocument:
    return document(iotJobConfiguration=keys)


def test_a_document_that_says_nothing_has_the_default_plan():
    assert plan_of(document()) == RolloutPlan()
    assert plan_of(document(iotJobConfiguration={})) == RolloutPlan()


def test_a_constant_rate_and_a_timeout_are_read():
    said = job(jobExecutionsRolloutConfig={"maximumPerMinute": 50}, timeoutConfig={"inProgressTimeoutInMinutes": 30})
    assert plan_of(said) == RolloutPlan(rate=Rate(per_minute=50), install_seconds=1800)


@pytest.mark.parametrize(
    ("criterion", "of"),
    [("numberOfNotifiedThings", RateOf.NOTIFIED), ("numberOfSucceededThings", RateOf.SUCCEEDED)],
)
def test_an_exponential_rate_is_read(criterion, of):
    rate = {"baseRatePerMinute": 5, "incrementFactor": 1.5, "rateIncreaseCriteria": {criterion: 20}}
    said = job(jobExecutionsRolloutConfig={"exponentialRate": rate, "maximumPerMinute": 200})
    assert plan_of(said).rate == Rate(per_minute=5, factor=1.5, every=20, of=of, most=200)


def criterion(kind: str = "ALL", percentage: float = 20, least: int = 10) -> dict[str, object]:
    return {
        "failureType": kind,
        "action": "CANCEL",
        "thresholdPercentage": percentage,
        "minNumberOfExecutedThings": least,
    }


def test_abort_criteria_become_gates_that_trip_at_the_percentage_itself():
    said = job(abortConfig={"criteriaList": [criterion(), criterion("TIMED_OUT", 50, 2)]})
    first, second = plan_of(said).gates
    assert (first.kind, first.min_reported, second.min_reported) == (GateKind.FAILED, 10, 2)
    assert 2 / 10 > first.limit > 1.999 / 10
    assert notes_of(said) == ("abort criteria on TIMED_OUT count every failed device: failed, refused or timed out.",)


def test_tags_are_not_kept_and_it_says_so():
    assert [note.split(":")[0] for note in notes_of(document(tags={"owner": "ana"}))] == ["tags are not kept"]


@pytest.mark.parametrize(
    "said",
    [
        {"schedulingConfig": {}},
        {"jobExecutionsRolloutConfig": {"maximumPerMinute": 0}},
        {"jobExecutionsRolloutConfig": {"perMinute": 5}},
        {"abortConfig": {"criteriaList": [criterion("EXPLODED")]}},
        {"abortConfig": {"criteriaList": [criterion(percentage=0)]}},
        {"abortConfig": {"criteriaList": [criterion() | {"action": "PAUSE"}]}},
        {"timeoutConfig": {"inProgressTimeoutInMinutes": 0}},
        {"jobExecutionsRetryConfig": {"criteriaList": []}},
    ],
)
def test_what_cannot_be_followed_is_refused_by_its_place(said):
    with pytest.raises(msgspec.ValidationError, match=r"iotJobConfiguration"):
        job(**said)


@pytest.mark.parametrize("criteria", [{}, {"numberOfNotifiedThings": 1, "numberOfSucceededThings": 1}])
def test_a_rate_that_grows_by_nothing_or_by_two_things_is_refused(criteria):
    rate = {"baseRatePerMinute": 5, "incrementFactor": 2, "rateIncreaseCriteria": criteria}
    with pytest.raises(LinesideError, match=r"rollout\.plan_invalid: .*rateIncreaseCriteria must give one of"):
        plan_of(job(jobExecutionsRolloutConfig={"exponentialRate": rate}))


def test_a_plan_of_its_own_is_checked_and_stands_alone():
    own = {"waves": [{"count": 1}, {"percent": 10}], "gates": [{"kind": "failed", "limit": 0.05}]}
    assert plan_of(document(rollout=own)).gates == (GateRule(kind=GateKind.FAILED, limit=0.05),)
    with pytest.raises(LinesideError, match=r"rollout\.waves\[0\]\.percent"):
        plan_of(document(rollout={"waves": [{"percent": 120}]}))
    with pytest.raises(LinesideError, match=r"iotJobConfiguration is given beside rollout"):
        plan_of(document(rollout=own, iotJobConfiguration={"timeoutConfig": {"inProgressTimeoutInMinutes": 3}}))


def test_a_misspelt_key_is_refused():
    with pytest.raises(msgspec.ValidationError, match="rollouts"):
        document(rollouts={})
