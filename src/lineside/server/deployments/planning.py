"""The plan a deployment document asks for: its own (`rollout`), or what AWS IoT's job configuration says. Pure.

Failed, refused and timed-out devices are all failed ones here, so each of AWS's failure types becomes a gate on all of
them: it trips where AWS would stop, and may trip earlier.
"""

from __future__ import annotations

import math

from lineside.contract.deployment import DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.job import AbortCriterion, ExponentialRate, JobAbort, JobConfiguration, JobFailure, JobRollout
from lineside.contract.rollout import GateKind, GateRule, Rate, RateOf, RolloutPlan
from lineside.contract.rollout_rules import check_plan

JOB = "iotJobConfiguration"


def plan_of(document: DeploymentDocument) -> RolloutPlan:
    """The plan of a document. Raises `rollout.plan_invalid`."""
    said = document.iot_job_configuration
    if document.rollout is not None:
        if said != JobConfiguration():
            raise _invalid(JOB, "is given beside rollout; keep one of the two")
        check_plan(document.rollout)
        return document.rollout
    plan = _from_job(said)
    check_plan(plan, at=JOB)
    return plan


def notes_of(document: DeploymentDocument) -> tuple[str, ...]:
    """What of a document is read in another way than it is written, in sentences."""
    notes = []
    if document.tags:
        notes.append("tags are not kept: name the deployment, or label its devices.")
    abort = document.iot_job_configuration.abort_config or JobAbort(criteria_list=())
    apart = sorted({one.failure_type.value for one in abort.criteria_list if one.failure_type is not JobFailure.ALL})
    if apart:
        kinds = " and ".join(apart)
        notes.append(f"abort criteria on {kinds} count every failed device: failed, refused or timed out.")
    return tuple(notes)


def _from_job(said: JobConfiguration) -> RolloutPlan:
    abort, timeout = said.abort_config, said.timeout_config
    minutes = timeout.in_progress_timeout_in_minutes if timeout else None
    return RolloutPlan(
        rate=_rate(said.job_executions_rollout_config) if said.job_executions_rollout_config else None,
        gates=tuple(_gate(one) for one in abort.criteria_list) if abort else (),
        install_seconds=minutes * 60.0 if minutes is not None else None,
    )


def _rate(said: JobRollout) -> Rate | None:
    if said.exponential_rate is not None:
        return _exponential(said.exponential_rate, said.maximum_per_minute)
    return Rate(per_minute=said.maximum_per_minute) if said.maximum_per_minute is not None else None


def _exponential(said: ExponentialRate, most: int | None) -> Rate:
    told = said.rate_increase_criteria.number_of_notified_things
    succeeded = said.rate_increase_criteria.number_of_succeeded_things
    if (told is None) == (succeeded is None):
        where = f"{JOB}.jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria"
        raise _invalid(where, "must give one of numberOfNotifiedThings and numberOfSucceededThings")
    return Rate(
        per_minute=said.base_rate_per_minute,
        factor=said.increment_factor,
        every=told or succeeded or 0,
        of=RateOf.NOTIFIED if told is not None else RateOf.SUCCEEDED,
        most=most,
    )


def _gate(said: AbortCriterion) -> GateRule:
    # AWS stops at the percentage itself, a gate trips above its limit: the next number below is the same rule.
    limit = math.nextafter(said.threshold_percentage / 100, 0.0)
    return GateRule(kind=GateKind.FAILED, limit=limit, min_reported=said.min_number_of_executed_things)


def _invalid(where: str, why: str) -> LinesideError:
    return LinesideError("rollout.plan_invalid", where=where, why=why)
