"""A fleet of thousands in a test: devices that fetch, install, soak, fail, flap or stay away, on a clock that is moved.

The database, the services and the rollout loop are the real ones; a device is a few numbers here, and its reports take
the way that a real one's take.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import insert, select

from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.reported import Phase
from lineside.contract.rollout import OPEN, Rollout, RolloutPlan
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.components.testing import KnownModels, model_version, release
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow, GroupRow
from lineside.server.loops.rollouts import RolloutLoop
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.testing import Fleet
from lineside.server.services import Core
from lineside.server.testing import FakeClock

GROUP = "line"


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Which shares of a fleet are away all the time, fail whatever they are given, and come and go."""

    offline: float = 0.3
    failing: float = 0.05
    flapping: float = 0.02


@dataclass
class _Device:
    name: str
    offline: bool = False
    failing: bool = False
    flapping: bool = False
    spoke: tuple[int, Phase] = (-1, Phase.IDLE)  # the revision and phase of its last report


@dataclass
class SimulatedFleet:
    """So many devices in one group; `bad` says which share of the good ones fails with each version of the model."""

    core: Core
    clock: FakeClock
    size: int
    shares: Shares = field(default_factory=Shares)
    bad: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 30.0  # of one round

    def __post_init__(self) -> None:
        self._random = random.Random(5)
        self._fleet, self._documents = Fleet(self.core), DesiredDocuments(self.core)
        self._components = Components(self.core)
        self.rollouts = Rollouts(self.core, self._documents, self._components)
        self.deployments = Deployments(self.core, self._components, KnownModels(), self.rollouts)
        self.loop = RolloutLoop(self.core.database, self.rollouts)
        self._devices = [self._device(number) for number in range(self.size)]
        self._join()
        for version in (1, 2):
            self._release(version)

    def deploy(self, version: int, plan: RolloutPlan) -> str:
        """A new deployment; the id of its rollout."""
        components = {
            "tags.model": ComponentSpec(component_version=f"{version}.0.0"),
            "tags.inference": ComponentSpec(component_version="0.1.0"),
        }
        document = DeploymentDocument(group_name=GROUP, components=components, rollout=plan)
        with self.core.database.write() as session:
            return self.deployments.create(session, document).rollout

    def until_over(self, rollout: str, rounds: int = 400) -> Rollout:
        """Rounds of the loop and of all devices until the rollout has ended. Raises AssertionError when it does not."""
        for _ in range(rounds):
            self.loop.step()
            shown = self.show(rollout)
            if shown.state not in OPEN:
                return shown
            self.round()
        raise AssertionError(f"{rollout} is {shown.state.value} after {rounds} rounds: {shown.note}")

    def show(self, rollout: str) -> Rollout:
        """A rollout as it stands."""
        with self.core.database.read() as session:
            return self.rollouts.show(session, rollout)

    def round(self) -> None:
        """Time passes, and every device that is there asks once and says what is new."""
        self.clock.advance(self.seconds)
        wanted = self._wanted()
        heard, healthy, worse = [], dict[str, Phase](), dict[str, Phase]()
        for one in self._devices:
            if one.offline or (one.flapping and self._random.random() < 0.5):
                continue
            heard.append(one.name)
            said = self._says(one, *wanted.get(one.name, (0, 0)))
            if said is not None:
                one.spoke = said
                (worse if said[1] in (Phase.ROLLED_BACK, Phase.FAILED) else healthy)[one.name] = said[1]
        self._fleet.hear(*heard)
        if healthy:
            self._fleet.report_all(healthy)
        if worse:
            self._fleet.report_all(worse, code="component.golden_mismatch")

    def runs(self) -> dict[int, int]:
        """How many devices should run each version of the model; 0 is none."""
        counted: dict[int, int] = {}
        for _, version in self._wanted().values():
            counted[version] = counted.get(version, 0) + 1
        return counted

    def _says(self, one: _Device, revision: int, version: int) -> tuple[int, Phase] | None:
        """What a device reports next about what it should run; None when it has nothing new to say."""
        spoke, phase = one.spoke
        if not revision:
            return None
        if spoke != revision:
            return revision, Phase.INSTALLING
        if phase is Phase.INSTALLING:
            fails = version > 1 and (one.failing or self._is_bad_for(one, version))
            return revision, Phase.ROLLED_BACK if fails else Phase.HEALTHY
        if one.flapping and phase is Phase.HEALTHY:
            return revision, Phase.STARTING
        if phase is Phase.STARTING:
            return revision, Phase.HEALTHY
        return None

    def _is_bad_for(self, one: _Device, version: int) -> bool:
        return random.Random(f"{one.name} {version}").random() < self.bad.get(version, 0.0)

    def _wanted(self) -> dict[str, tuple[int, int]]:
        """What each device should run: the revision of its document, and the version of the model in it."""
        with self.core.database.read() as session:
            versions = {
                row.digest: next((int(one.version[0]) for one in row.components if one.name == "tags.model"), 0)
                for row in session.scalars(select(DesiredContentRow))
            }
            rows = session.execute(select(DesiredRow.device, DesiredRow.revision, DesiredRow.content))
            return {device: (revision, versions[content]) for device, revision, content in rows}

    def _device(self, number: int) -> _Device:
        draw, shares = self._random.random(), self.shares
        failing = draw < shares.offline + shares.failing
        flapping = draw < shares.offline + shares.failing + shares.flapping
        offline = draw < shares.offline
        return _Device(
            name=f"station-{number:05}",
            offline=offline,
            failing=failing and not offline,
            flapping=flapping and not failing,
        )

    def _join(self) -> None:
        now = rfc3339(self.clock.now())
        rows = [
            {"name": one.name, "fingerprint": one.name, "joined_at": now, "state": "accepted", "twin": False}
            | {"key": "k" * 178, "certificate": "c" * 900, "token": "", "facts": {"cpu": "x" * 300}, "sequence": -1}
            for one in self._devices
        ]
        with self.core.database.write() as session:
            session.execute(insert(DeviceRow), rows)
            session.execute(insert(GroupRow), [{"device": one.name, "group": GROUP} for one in self._devices])

    def _release(self, version: int) -> None:
        with self.core.database.write() as session:
            model = model_version(self.core.objects, version)
            self._components.stage(session, self._components.package(session, model))
            release(self._components, session, model)
