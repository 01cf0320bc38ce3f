"""Evidence: what results say about one wave of a rollout. The port is `rollouts.evidence.Evidence`.

Which model files a wave got is read from the documents that its devices were given: components that the rollout's
deployment names, and that carry a model. Everything is measured for each of these files by itself; of several the
worst counts. Measures are kept by the hour, so "since a device was told" begins with the hour in which it was. Of long
rollouts the newest day counts, and as a baseline the three days before the wave's first device was told: what is
further away says little about now, and would have to be added up each time.

The baseline of a shift is, first that there is enough of:

1. the results of the same devices by the file they ran before: of the other versions of the model, the one with the
   newest results of these devices before they were told;
2. the results of all devices of the rollout by that file, or by the one that they ran last;
3. what the model itself found on its own test images, when it was evaluated.

A number that cannot be known yet is left out: a percentile or a disagreement of fewer than 20 images, a shift of fewer
than 200 counts on either side, missing results before a device was healthy for ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, FromClause, and_, exists, func, not_, select
from sqlalchemy.orm import Session

from lineside.contract.drift import edges_of
from lineside.contract.histogram import CONFIDENCE_STEPS, confidence_step, quantile
from lineside.contract.model import ModelVersion
from lineside.contract.rollout import GateKind
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.components.store import ComponentRow
from lineside.server.deployments.store import DeploymentRow
from lineside.server.devices.model import Outcome
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow
from lineside.server.models.store import ModelRow
from lineside.server.rollouts.evidence import Measured
from lineside.server.rollouts.store import RolloutDeviceRow
from lineside.server.services import Core
from lineside.server.telemetry.measures import HOUR, classes, hours
from lineside.server.telemetry.shift import ENOUGH, psi, psi_of_classes
from lineside.server.telemetry.sums import NOTHING, Sums, sums_of

SOME = 20
"""Images from which a percentile, or a share of disagreement, is told."""

NEWEST, BEFORE = timedelta(days=1), timedelta(days=3)
"""How much of what is new counts, and of what was before."""

QUIET = timedelta(minutes=10)
"""How long a device is healthy before it is missed among those with results."""


@dataclass(frozen=True, kw_only=True)
class _Baseline:
    """What a shift is measured against."""

    confidences: list[int]
    mix: dict[str, float]


class ResultEvidence:
    """Numbers about waves, from the measures of results."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def measure(self, session: Session, rollout: int, wave: int) -> tuple[Measured, ...]:
        """The numbers of one wave since its devices were told, as far as there are any; a few sums over its devices."""
        told = _Told(session, rollout, wave, rfc3339(self._core.clock.now() - NEWEST))
        models = _models(session, told) if told.first else []
        if not models:
            return ()
        found = [one for model in models for one in _of_model(session, told, model)]
        missing = self._missing(session, told, [model.digest for model in models])
        return tuple(_worst([*found, *missing]))

    def _missing(self, session: Session, told: _Told, digests: list[str]) -> Iterator[Measured]:
        """The share of the devices, healthy for long enough, that published no result by the new files."""
        since = rfc3339(self._core.clock.now() - QUIET)
        published = exists().where(*told.since(hours), hours.c.device == DeviceRow.name, hours.c.digest.in_(digests))
        query = (
            select(func.count().label("healthy"), func.count().filter(not_(published)).label("silent"))
            .select_from(RolloutDeviceRow)
            .join(DeviceRow, DeviceRow.name == RolloutDeviceRow.device)
            .join(DesiredRow, DesiredRow.device == DeviceRow.name)
            .where(
                *told.members,
                DeviceRow.outcome == Outcome.HEALTHY.value,
                DeviceRow.revision == DesiredRow.revision,
                DeviceRow.healthy_since <= since,
            )
        )
        row = session.execute(query).one()
        if row.healthy:
            yield Measured(kind=GateKind.NO_RESULTS, value=row.silent / row.healthy, reported=row.healthy)


class _Told:
    """The devices of a wave that were told, and conditions on tables of measures about them."""

    def __init__(self, session: Session, rollout: int, wave: int, newest: str) -> None:
        """`newest`: the moment from which results count as new, RFC 3339."""
        self.rollout = RolloutDeviceRow.rollout == rollout
        self.members = (self.rollout, RolloutDeviceRow.wave == wave, RolloutDeviceRow.told_at.is_not(None))
        self.first = session.scalar(select(func.min(RolloutDeviceRow.told_at)).where(*self.members))
        self._newest = newest[:HOUR]
        first = parse_rfc3339(self.first) if self.first else None
        self._before = rfc3339(first - BEFORE)[:HOUR] if first else ""

    def since(self, table: FromClause) -> tuple[ColumnElement[bool], ...]:
        """Rows of a member since the hour in which it was told."""
        return (table.c.device == RolloutDeviceRow.device, table.c.hour >= _hour_told(), table.c.hour >= self._newest)

    def now(self, table: FromClause, digest: str) -> tuple[ColumnElement[bool], ...]:
        """What its devices measured by a new file."""
        return (*self.members, *self.since(table), table.c.digest == digest)

    def before(self, table: FromClause, digest: str) -> tuple[ColumnElement[bool], ...]:
        """What its devices measured by an earlier file."""
        return (*self.members, *self.ran_before(table), table.c.digest == digest)

    def ran_before(self, table: FromClause) -> tuple[ColumnElement[bool], ...]:
        """Rows of a member until the hour in which it was told."""
        mine = table.c.device == RolloutDeviceRow.device
        return (mine, table.c.hour <= _hour_told(), table.c.hour >= self._before)

    def group(self, table: FromClause, digest: str) -> tuple[ColumnElement[bool], ...]:
        """What all devices of the rollout measured by an earlier file."""
        return (*self.ran_in_group(table), table.c.digest == digest)

    def ran_in_group(self, table: FromClause) -> tuple[ColumnElement[bool], ...]:
        """Rows of all devices of the rollout."""
        return (self.rollout, table.c.device == RolloutDeviceRow.device, table.c.hour >= self._before)


def _hour_told() -> ColumnElement[str]:
    return func.substr(RolloutDeviceRow.told_at, 1, HOUR)


def _models(session: Session, told: _Told) -> list[ModelVersion]:
    """The models that the devices of a wave were given by the rollout's deployment."""
    given = select(DesiredRow.content).join(RolloutDeviceRow, RolloutDeviceRow.device == DesiredRow.device)
    contents = select(DesiredContentRow).where(DesiredContentRow.digest.in_(given.where(*told.members).distinct()))
    deployed = select(DeploymentRow).join(RolloutDeviceRow, DeploymentRow.number == RolloutDeviceRow.rollout)
    deployment = session.scalars(deployed.where(told.rollout).limit(1)).first()
    if deployment is None:
        return []
    named = {
        one.recipe_digest
        for content in session.scalars(contents)
        for one in content.components
        if one.name in deployment.components
    }
    carried = select(ComponentRow.model).where(ComponentRow.recipe_digest.in_(named), ComponentRow.model.is_not(None))
    found = []
    for label in session.scalars(carried.order_by(ComponentRow.model)):
        name, _, version = (label or "").rpartition(":")
        query = select(ModelRow.registered).where(ModelRow.name == name, ModelRow.version == int(version))
        found += list(session.scalars(query))
    return found


def _of_model(session: Session, told: _Told, model: ModelVersion) -> Iterator[Measured]:
    now = sums_of(session, told.now(hours, model.digest), told.now(classes, model.digest))
    if not now.devices:
        return
    p95 = quantile(now.latencies, 0.95)
    if p95 is not None and now.of["count"] >= SOME:
        yield Measured(kind=GateKind.LATENCY_P95, value=p95, reported=now.devices)
    compared = now.of["compared"]
    if compared >= SOME:
        share = 1.0 - now.of["agreed"] / compared
        yield Measured(kind=GateKind.DISAGREEMENT, value=share, reported=now.comparing)
    yield from _shifts(session, told, model, now)


def _shifts(session: Session, told: _Told, model: ModelVersion, now: Sums) -> Iterator[Measured]:
    """Both shifts, each against the first baseline with enough counts."""
    enough = {
        GateKind.CONFIDENCE_SHIFT: sum(now.confidences) >= ENOUGH,
        GateKind.CLASS_MIX_SHIFT: sum(now.mix.values()) >= ENOUGH,
    }
    wanted = {kind for kind, there in enough.items() if there}
    for baseline in _baselines(session, told, model) if wanted else ():
        if GateKind.CONFIDENCE_SHIFT in wanted and sum(baseline.confidences) >= ENOUGH:
            wanted.remove(GateKind.CONFIDENCE_SHIFT)
            value = psi(now.confidences, baseline.confidences)
            yield Measured(kind=GateKind.CONFIDENCE_SHIFT, value=value, reported=now.devices)
        if GateKind.CLASS_MIX_SHIFT in wanted and sum(baseline.mix.values()) >= ENOUGH:
            wanted.remove(GateKind.CLASS_MIX_SHIFT)
            value = psi_of_classes(now.mix, baseline.mix)
            yield Measured(kind=GateKind.CLASS_MIX_SHIFT, value=value, reported=now.devices)
        if not wanted:
            return


def _baselines(session: Session, told: _Told, model: ModelVersion) -> Iterator[_Baseline]:
    others = {one.digest for one in session.scalars(select(ModelRow.registered).where(ModelRow.name == model.name))}
    others.discard(model.digest)
    before = _newest(session, and_(*told.members, *told.ran_before(hours)), others)
    if before is not None:
        yield _of_sums(sums_of(session, told.before(hours, before), told.before(classes, before), latency=False))
    ran = before or _newest(session, and_(*told.ran_in_group(hours)), others)
    if ran is not None:
        yield _of_sums(sums_of(session, told.group(hours, ran), told.group(classes, ran), latency=False))
    if model.baseline is not None:
        yield _of_tests(model)


def _newest(session: Session, where: ColumnElement[bool], digests: Iterable[str]) -> str | None:
    """Of these files the one with the newest results; of several in one hour, the one with the most."""
    query = select(hours.c.digest).where(where, hours.c.digest.in_(list(digests))).group_by(hours.c.digest)
    newest, most = func.max(hours.c.hour).desc(), func.sum(hours.c.count).desc()
    return session.scalars(query.order_by(newest, most, hours.c.digest).limit(1)).first()


def _of_sums(found: Sums) -> _Baseline:
    return _Baseline(confidences=found.confidences, mix={**found.mix})


def _of_tests(model: ModelVersion) -> _Baseline:
    """What a model found on its own test images."""
    baseline, confidences = model.baseline, [0] * CONFIDENCE_STEPS
    assert baseline is not None
    sketch, found = baseline.sketches.get("confidence"), baseline.sketches.get("detections")
    if sketch is not None:
        edges = edges_of("confidence", sketch)
        for low, high, count in zip(edges, edges[1:], sketch.counts, strict=False):
            confidences[confidence_step((low + high) / 2)] += count
    detections = sum(confidences)
    mix = {label: share * detections for label, share in baseline.classes.items()}
    nothing = found.counts[0] if found is not None and edges_of("detections", found)[1] <= 1.0 else 0
    return _Baseline(confidences=confidences, mix={**mix, NOTHING: nothing})


def _worst(found: Iterable[Measured]) -> Iterator[Measured]:
    """Of each kind the highest value."""
    worst: dict[GateKind, Measured] = {}
    for one in found:
        if one.kind not in worst or one.value > worst[one.kind].value:
            worst[one.kind] = one
    return iter(worst.values())
