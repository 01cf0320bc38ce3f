"""AWS IoT's job configuration, as Greengrass V2 deployment documents carry it (`iotJobConfiguration`).

Source: AWS IoT Greengrass V2 API reference, DeploymentIoTJobConfiguration and the types it names. What is not listed
there is refused.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta


class RateIncrease(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """When an exponential rate grows: after so many devices were told, or succeeded. One of the two."""

    number_of_notified_things: Annotated[int, Meta(ge=1)] | None = None
    number_of_succeeded_things: Annotated[int, Meta(ge=1)] | None = None


class ExponentialRate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Devices told a minute at first, and by what the number is multiplied as things go well."""

    base_rate_per_minute: Annotated[int, Meta(ge=1, le=1000)]
    increment_factor: Annotated[float, Meta(ge=1, le=5)]
    rate_increase_criteria: RateIncrease


class JobRollout(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How fast: a most for each minute, and a rate that grows up to it."""

    exponential_rate: ExponentialRate | None = None
    maximum_per_minute: Annotated[int, Meta(ge=1, le=1000)] | None = None


class JobFailure(enum.Enum):
    """Which failures are counted."""

    FAILED = "FAILED"
    REJECTED = "REJECTED"
    TIMED_OUT = "TIMED_OUT"
    ALL = "ALL"


class JobAction(enum.Enum):
    """What follows when there are too many."""

    CANCEL = "CANCEL"


class AbortCriterion(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """From which percentage on, once so many devices are done, it is stopped."""

    failure_type: JobFailure
    action: JobAction
    threshold_percentage: Annotated[float, Meta(gt=0, le=100)]
    min_number_of_executed_things: Annotated[int, Meta(ge=1)]


class JobAbort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """When to stop; any of them is enough."""

    criteria_list: tuple[AbortCriterion, ...]


class JobTimeout(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """After how many minutes a device that is not done has failed."""

    in_progress_timeout_in_minutes: Annotated[int, Meta(ge=1, le=10080)] | None = None


class JobConfiguration(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Rate, abort criteria and time-out of a deployment."""

    job_executions_rollout_config: JobRollout | None = None
    abort_config: JobAbort | None = None
    timeout_config: JobTimeout | None = None
