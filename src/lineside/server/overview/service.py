"""Counts every stage of the loop, and finds what only a person can settle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

import lineside
from lineside.contract.counted import counted
from lineside.contract.drift_alarm import AlarmState
from lineside.contract.field_accuracy import FieldAccuracy
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.overview import Need, Overview, Stage
from lineside.contract.rollout import Rollout, RolloutState
from lineside.contract.run import RunState
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.captures.service import CapturesService
from lineside.server.datasets.service import DatasetsService
from lineside.server.devices.listing import TROUBLED, Counts
from lineside.server.devices.service import Devices
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.looking import DriftLooks
from lineside.server.models.service import ModelsService
from lineside.server.overview.worries import worries
from lineside.server.rollouts.service import Rollouts
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from lineside.server.telemetry.service import ResultsService
from lineside.server.trust.view import TrustPage

_WORRIES = 10  # shown one by one
_LOOKED_AT = 200  # devices


@dataclass(frozen=True)
class OverviewService:
    """Looks into every room."""

    core: Core
    join_tokens: JoinTokens
    datasets: DatasetsService
    runs: RunsService
    models: ModelsService
    devices: Devices
    rollouts: Rollouts
    results: ResultsService
    captures: CapturesService
    trust: TrustPage
    drift: DriftLooks
    field: FieldAccuracies

    def look(self, fleet: Counts | None = None) -> Overview:
        """The loop as it stands now; the devices are counted unless `fleet` says how many there are."""
        models, fleet = self.models.counts(), fleet or self.devices.counts()
        return Overview(
            version=lineside.__version__,
            people_url=self.core.addresses.people_url,
            device_url=self.core.addresses.device_url,
            ca_sha256=self.join_tokens.ca_sha256,
            trust_mode=self.trust.mode().value,
            stages=(*self._made(models), *self._running(models, fleet.devices), self._drift()),
            field=self._field(),
            needs=(
                *self.core.needs,
                *self.core.hints.needs(),
                *self._decisions(models, fleet),
                *self._failed(),
                *self._drifting(),
                *self._signing(),
                *self._worries(),
            ),
        )

    def _signing(self) -> list[Need]:
        with self.core.database.read() as session:
            return list(self.trust.needs(session))

    def _drift(self) -> Stage:
        alarms = self.drift.open()
        note = ", ".join(f"{count} {word.value}" for word, count in alarms.items() if count)
        watched = _part(self.drift.watched(), "watched")
        return Stage(name="Drift", count=sum(alarms.values()), note=note or watched, href="/drift")

    def _drifting(self) -> list[Need]:
        raised = self.drift.alarms(AlarmState.RAISED, limit=_WORRIES).alarms
        return [
            Need(
                what=f"Drift on {alarm.name}: {', '.join(alarm.quantities)}".replace("_", " "),
                href=f"/drift/alarms/{alarm.number}",
                command=f"lineside drift show {alarm.number}",
            )
            for alarm in raised
        ]

    def _field(self) -> tuple[FieldAccuracy, ...]:
        newest: dict[str, FieldAccuracy] = {}
        for one in self.field.of():
            newest.setdefault(one.model, msgspec.structs.replace(one, classes=()))
        return tuple(newest.values())

    def _made(self, models: Mapping[ModelState, int]) -> tuple[Stage, ...]:
        datasets, runs = self.datasets.versions(limit=1), self.runs.counts()
        newest = next(iter(datasets.versions), None)
        return (
            Stage(
                name="Images",
                count=newest.images if newest else 0,
                note=f"in {counted(newest.groups, 'group')}" if newest else "",
                href="/datasets",
            ),
            Stage(name="Dataset versions", count=datasets.total, note=newest.id if newest else "", href="/datasets"),
            Stage(name="Runs", count=sum(runs.values()), note=_words(runs), href="/runs"),
            Stage(name="Model versions", count=sum(models.values()), note=_words(models), href="/models"),
            Stage(
                name="Twin tests",
                count=self.models.tested(),
                note=_part(models.get(ModelState.IN_TWIN, 0), "under way"),
                href="/rollouts",
            ),
        )

    def _running(self, models: Mapping[ModelState, int], fleet: dict[str, int]) -> tuple[Stage, ...]:
        with self.core.database.read() as session:
            states = Counter(self.rollouts.states(session))
        healthy = fleet.get("healthy", 0)
        results, captures = self.results.counts(), self.captures.counts()
        kept = ", ".join(f"{name} {count}" for name, count in sorted(captures.items()))
        return (
            Stage(
                name="Releases",
                count=models.get(ModelState.APPROVED, 0),
                note="approved and signed",
                href="/models?states=approved",
            ),
            Stage(name="Rollouts", count=sum(states.values()), note=_words(states), href="/rollouts"),
            Stage(
                name="Devices",
                count=sum(fleet.values()),
                note=_part(healthy, "healthy"),
                href="/devices",
            ),
            Stage(
                name="Results",
                count=sum(results.values()),
                note=f"of {counted(len(results), 'device')}" if results else "",
                href="/devices",
            ),
            Stage(name="Captures", count=sum(captures.values()), note=kept, href="/captures"),
        )

    def _decisions(self, models: Mapping[ModelState, int], fleet: Counts) -> list[Need]:
        key = "" if self.models.signs_here() else " --key FILE"
        needs = [
            Need(
                what=f"{model.label} awaits approval",
                href=f"/models/{model.name}/{model.version}",
                command=f"lineside models approve {model.label}{key}",
            )
            for model in self._awaiting()
        ]
        if models.get(ModelState.CANDIDATE) and not fleet.twins:
            command = "lineside twin start --profile generic-x86 --detach"
            needs.append(
                Need(what="A model waits for a twin to try it, and none has joined", href="/devices", command=command)
            )
        return needs

    def _failed(self) -> list[Need]:
        """Rollouts that failed, or that a deadline stopped: until something else is deployed to the group, it does not
        run what was wanted."""
        with self.core.database.read() as session:
            found = self.rollouts.failed(session, _WORRIES)
        return [
            Need(what=what_failed(one), href=f"/rollouts/{one.id}", command=f"lineside rollouts show {one.id}")
            for one in found
        ]

    def _awaiting(self) -> list[ModelVersion]:
        with self.core.database.read() as session:
            return self.models.versions(session, ModelState.AWAITING_APPROVAL)

    def _worries(self) -> list[Need]:
        """What is wrong with devices; of many, the first by name. What several say alike is one need."""
        devices = self.devices.troubled(_LOOKED_AT + 1)
        found = worries(devices[:_LOOKED_AT])
        needs = found[:_WORRIES]
        if len(found) > _WORRIES or len(devices) > _LOOKED_AT:
            href, command = f"/devices?summary={TROUBLED}", f"lineside devices list --state {TROUBLED}"
            needs.append(Need(what="More devices need a look", href=href, command=command))
        return needs


def what_failed(rollout: Rollout) -> str:
    """What needs a person about a rollout that ended badly."""
    if rollout.state is RolloutState.ABORTED:
        return f"{rollout.id} to {rollout.group} was stopped: {rollout.note}"
    first = next(iter(rollout.failures), None)
    why = f"{first.device}: {first.error.message}" if first and first.error else rollout.note
    return f"{rollout.id} to {rollout.group} failed. {why}"


def _words(counts: Mapping[RunState, int] | Mapping[ModelState, int] | Mapping[RolloutState, int]) -> str:
    return ", ".join(f"{count} {state.value.replace('_', ' ')}" for state, count in counts.items() if count)


def _part(count: int, what: str) -> str:
    return f"{count} {what}" if count else ""
