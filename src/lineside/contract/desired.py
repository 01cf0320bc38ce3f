"""Desired documents: what one device should run. Numbered; the newest wins; the same content keeps its revision."""

from __future__ import annotations

import msgspec

from lineside.contract.deployment import ConfigurationUpdate, RunWith, UpdatePolicy, ValidationPolicy

DESIRED_SCHEMA = "lineside.desired/1"


class DesiredComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A component the device should run; `target` is its recipe's TUF path, `recipe_digest` must be what TUF says."""

    name: str
    version: str
    target: str
    recipe_digest: str
    configuration_update: ConfigurationUpdate = msgspec.field(default_factory=ConfigurationUpdate)
    run_with: RunWith | None = None


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """One device's desired document. `revision` 0 wants nothing."""

    schema: str = DESIRED_SCHEMA
    device: str
    revision: int
    components: tuple[DesiredComponent, ...] = ()
    deployment: str | None = None
    failure_policy: str = "ROLLBACK"
    update_policy: UpdatePolicy = msgspec.field(default_factory=UpdatePolicy)
    validation_policy: ValidationPolicy = msgspec.field(default_factory=ValidationPolicy)
    soak_seconds: float = 5.0  # ready for this long before it counts as healthy
    poll_seconds: float = 30.0  # ask again before these are over; how long before is left to chance by the device
