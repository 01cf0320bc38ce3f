"""Evidence: what results say about one wave of a rollout, against the right baseline, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from lineside.contract.component import ComponentKind
from lineside.contract.deployment import ComponentSpec
from lineside.contract.desired import DesiredComponent
from lineside.contract.drift import Baseline, Sketch
from lineside.contract.model import ModelVersion
from lineside.contract.result import Detection, Result
from lineside.contract.rollout import GateKind, RolloutState
from lineside.server.clock import rfc3339
from lineside.server.components.store import ComponentRow
from lineside.server.deployments.store import DeploymentRow
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow
from lineside.server.rollouts.evidence import Measured
from lineside.server.rollouts.store import RolloutDeviceRow, RolloutRow
from lineside.server.services import Core
from lineside.server.telemetry.evidence import QUIET, ResultEvidence
from lineside.server.telemetry.service import ResultsService
from lineside.server.testing import FakeClock
from tests.server.telemetry.models import compared, found, message, register, result

OLD, NEW = 1, 2
Make = Callable[[int], Sequence[Detection]]


class Story:
    """A rollout of tags:2 in two waves to devices that ran tags:1, with the results that they publish."""

    def __init__(self, core: Core, clock: FakeClock, baseline: Baseline | None = None) -> None:
        self.core, self.clock, self.results = core, clock, ResultsService(core)
        self._sequence = 0
        with core.database.write() as session:
            self.old = register(core, session, OLD)
            self.new = register(core, session, NEW, baseline=baseline)
            self._deploy(session)

    def _deploy(self, session: Session) -> None:
        spec = {"tags.model": ComponentSpec(component_version="2.0.0")}
        now = rfc3339(self.clock.now())
        session.add(
            DeploymentRow(
                number=1, group="line", name="", components=spec, failure_policy="ROLLBACK", digest="sha256:d",
                created_at=now, staging=False,
            )
        )  # fmt: skip
        session.flush()
        session.add(RolloutRow(number=1, group="line", state=RolloutState.RUNNING, waves=2, created_at=now))
        for version in (OLD, NEW):
            row = ComponentRow(name="tags.model", version=f"{version}.0.0", kind=ComponentKind.MODEL.value)
            row.recipe_digest, row.recipe_size, row.artifacts = f"sha256:r{version}", 1, ()
            row.created_at, row.model = now, f"tags:{version}"
            session.add(row)
            content = DesiredContentRow(digest=f"sha256:c{version}", deployment=f"deployment-{version}")
            content.components = (
                DesiredComponent(
                    name="tags.model", version=f"{version}.0.0", target="t", recipe_digest=f"sha256:r{version}"
                ),
            )
            content.failure_policy = "ROLLBACK"
            session.add(content)
        session.flush()

    def join(self, *names: str, wave: int = 0) -> None:
        """Devices in a wave; not told yet."""
        with self.core.database.write() as session:
            for name in names:
                session.add(
                    DeviceRow(
                        name=name, twin=False, key="", certificate="", token="", facts={}, joined_at="2026",
                        fingerprint=name,
                    )
                )  # fmt: skip
                session.flush()
                session.add(DesiredRow(device=name, revision=1, content="sha256:c1"))
                session.add(RolloutDeviceRow(rollout=1, device=name, wave=wave))

    def tell(self, *names: str) -> None:
        with self.core.database.write() as session:
            for name in names:
                desired = session.get_one(DesiredRow, name)
                desired.revision, desired.content = 2, "sha256:c2"
                session.get_one(RolloutDeviceRow, (1, name)).told_at = rfc3339(self.clock.now())

    def healthy(self, *names: str, revision: int = 2) -> None:
        with self.core.database.write() as session:
            for name in names:
                row = session.get_one(DeviceRow, name)
                row.revision, row.outcome, row.healthy_since = revision, "healthy", rfc3339(self.clock.now())

    def publish(self, model: ModelVersion, device: str, count: int, make: Make, **fields: Any) -> None:
        made: list[Result] = []
        for n in range(count):
            self._sequence += 1
            made.append(result(model, device, self._sequence, *make(n), **fields))
        self.results.take([message(one) for one in made])

    def numbers(self, wave: int = 0) -> dict[GateKind, Measured]:
        with self.core.database.read() as session:
            return {one.kind: one for one in ResultEvidence(self.core).measure(session, 1, wave)}


@pytest.fixture
def story(core: Core, clock: FakeClock) -> Story:
    made = Story(core, clock)
    made.join("cam-1", "cam-2")
    made.join("cam-3", wave=1)
    return made


def usual(n: int) -> Sequence[Detection]:
    """As the old model sees it: mostly dents, confidence all over the upper half."""
    return (found("dent" if n % 4 else "scratch", 0.5 + (n % 5) / 10),)


def test_what_devices_did_before_they_were_told_is_no_evidence(story: Story) -> None:
    story.publish(story.old, "cam-1", 300, usual)
    assert story.numbers() == {}
    story.tell("cam-1")
    assert story.numbers() == {}


def test_a_model_like_the_one_before_has_shifted_by_nothing(story: Story, clock: FakeClock) -> None:
    for device in ("cam-1", "cam-2"):
        story.publish(story.old, device, 200, usual)
    clock.advance(3600)
    story.tell("cam-1", "cam-2")
    story.publish(story.new, "cam-1", 300, usual, latency_ms=20.0)
    found = story.numbers()
    assert found[GateKind.CONFIDENCE_SHIFT].value < 0.01
    assert found[GateKind.CLASS_MIX_SHIFT].value < 0.01
    assert 20 / 2**0.25 < found[GateKind.LATENCY_P95].value < 20 * 2**0.25
    assert {one.reported for one in found.values()} == {1}
    assert GateKind.DISAGREEMENT not in found
    assert story.numbers(wave=1) == {}


def test_unsure_other_or_blind_models_have_shifted(story: Story) -> None:
    story.publish(story.old, "cam-1", 300, usual)
    story.tell("cam-1", "cam-2")
    story.publish(story.new, "cam-1", 300, lambda n: (found("scratch", 0.3),))
    assert story.numbers()[GateKind.CONFIDENCE_SHIFT].value > 1.0
    assert story.numbers()[GateKind.CLASS_MIX_SHIFT].value > 1.0


def test_a_model_that_finds_nothing_shifts_the_classes(story: Story) -> None:
    story.publish(story.old, "cam-1", 300, usual)
    story.tell("cam-1")
    story.publish(story.new, "cam-1", 300, lambda n: ())
    numbers = story.numbers()
    assert numbers[GateKind.CLASS_MIX_SHIFT].value > 1.0
    assert GateKind.CONFIDENCE_SHIFT not in numbers  # of no detection there is no confidence


def test_too_few_results_are_told_as_nothing(story: Story) -> None:
    story.publish(story.old, "cam-1", 300, usual)
    story.tell("cam-1")
    story.publish(story.new, "cam-1", 19, usual, compared=compared(True))
    assert story.numbers() == {}
    story.publish(story.new, "cam-1", 1, usual, compared=compared(True))
    assert story.numbers().keys() == {GateKind.LATENCY_P95, GateKind.DISAGREEMENT}


def test_a_device_that_is_new_is_held_against_its_group(story: Story) -> None:
    story.publish(story.old, "cam-3", 300, usual)  # not told, in the next wave
    story.tell("cam-1")
    story.publish(story.new, "cam-1", 300, usual)
    assert story.numbers()[GateKind.CONFIDENCE_SHIFT].value < 0.01
    story.publish(story.old, "cam-2", 300, lambda n: (found("scratch", 0.95),))  # in the wave, but not told either
    assert story.numbers()[GateKind.CONFIDENCE_SHIFT].value > 0.1


@pytest.mark.parametrize("edges", [True, False], ids=["of its own bins", "of the usual bins"])
def test_the_first_model_is_held_against_its_own_test_images(core: Core, clock: FakeClock, edges: bool) -> None:
    counts = tuple(60 if n in (10, 12, 14, 16, 18) else 0 for n in range(21 - 1))
    tests = Baseline(
        images=300,
        sketches={
            "confidence": Sketch(edges=tuple(n / 20 for n in range(21)) if edges else (), counts=counts),
            "detections": Sketch(edges=(0.0, 1.0, 2.0) if edges else (), counts=(0, 300)),
        },
        classes={"dent": 0.75, "scratch": 0.25},
    )
    story = Story(core, clock, tests)
    story.join("cam-1")
    story.tell("cam-1")
    story.publish(story.new, "cam-1", 300, usual)
    numbers = story.numbers()
    assert numbers[GateKind.CONFIDENCE_SHIFT].value < 0.01
    assert numbers[GateKind.CLASS_MIX_SHIFT].value < 0.01


def test_without_anything_before_no_shift_is_told(story: Story) -> None:
    story.tell("cam-1")
    story.publish(story.new, "cam-1", 300, usual)
    assert story.numbers().keys() == {GateKind.LATENCY_P95}


def test_disagreement_is_the_share_of_sampled_images_on_which_both_differ(story: Story) -> None:
    story.tell("cam-1", "cam-2")
    story.publish(story.new, "cam-1", 30, usual, compared=compared(True))
    story.publish(story.new, "cam-2", 10, usual, compared=compared(False))
    story.publish(story.new, "cam-2", 60, usual)
    found = story.numbers()[GateKind.DISAGREEMENT]
    assert (found.value, found.reported) == (pytest.approx(0.25), 2)


def test_devices_that_are_healthy_and_silent_are_missed_after_a_while(story: Story, clock: FakeClock) -> None:
    story.tell("cam-1", "cam-2")
    story.healthy("cam-1", "cam-2")
    story.publish(story.new, "cam-1", 1, usual)
    clock.advance(QUIET.total_seconds() - 1)
    assert GateKind.NO_RESULTS not in story.numbers()
    clock.advance(1)
    found = story.numbers()[GateKind.NO_RESULTS]
    assert (found.value, found.reported) == (0.5, 2)
    story.publish(story.old, "cam-2", 1, usual)  # the model it should run no more
    assert story.numbers()[GateKind.NO_RESULTS].value == 0.5
    story.publish(story.new, "cam-2", 1, usual)
    assert story.numbers()[GateKind.NO_RESULTS].value == 0.0


def test_a_device_that_is_healthy_on_what_it_ran_before_is_not_missed(story: Story, clock: FakeClock) -> None:
    story.healthy("cam-1", revision=1)
    story.tell("cam-1")
    clock.advance(2 * QUIET.total_seconds())
    assert story.numbers() == {}


def test_old_results_by_the_same_file_are_no_evidence(story: Story, clock: FakeClock) -> None:
    story.publish(story.new, "cam-1", 300, usual, latency_ms=900.0)  # it ran this version once, and was sent back
    story.publish(story.old, "cam-1", 300, usual)
    clock.advance(timedelta(hours=2).total_seconds())
    story.tell("cam-1")
    assert story.numbers() == {}
    story.publish(story.new, "cam-1", 20, usual, latency_ms=10.0)
    assert story.numbers()[GateKind.LATENCY_P95].value < 20.0


def test_a_deployment_without_a_model_says_nothing(story: Story) -> None:
    with story.core.database.write() as session:
        row = session.get_one(DeploymentRow, 1)
        row.components = {"other": ComponentSpec(component_version="1.0.0")}
    story.tell("cam-1")
    story.healthy("cam-1")
    story.publish(story.new, "cam-1", 300, usual)
    assert story.numbers() == {}
