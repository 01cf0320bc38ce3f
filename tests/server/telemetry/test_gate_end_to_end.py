"""From a device's publish at a real broker to the number at a rollout's gate, and what that number does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.client import Client as People
from lineside.contract import topics
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.model import ModelVersion
from lineside.contract.reported import Phase
from lineside.contract.rollout import GateKind, GateRule, Rollout, RolloutPlan, RolloutState, WaveSpec
from lineside.server.adapters.embedded_broker import EmbeddedBroker, tls_context
from lineside.server.components.service import Components
from lineside.server.components.testing import release
from lineside.server.loops.rollouts import RolloutLoop
from lineside.server.rollouts.testing import Fleet
from lineside.server.telemetry.sums import measures_of
from lineside.server.testing import FakeClock, Running, free_socket, running, until
from tests.server.adapters.broker_site import Client, Site, site
from tests.server.telemetry.models import found, message, register, result

DEVICES = ("cam-1", "cam-2")
PLAN = RolloutPlan(
    waves=(WaveSpec(percent=100.0),),
    gates=(GateRule(kind=GateKind.CONFIDENCE_SHIFT, limit=0.25, min_reported=2),),
)


@pytest.fixture
def up(tmp_path: Path, clock: FakeClock) -> Iterator[Running]:
    with running(tmp_path / "root", clock) as made:
        yield made


@pytest.fixture
def broker(tmp_path: Path, up: Running) -> Iterator[Site]:
    """The broker that comes with the control plane, behind TLS, in front of its results."""
    (tmp_path / "broker").mkdir()
    with site(tmp_path / "broker") as made, free_socket() as listener:
        made.port = listener.getsockname()[1]
        tls = tls_context(made.folder / "server.pem", made.ca.pem)
        made.broker = EmbeddedBroker(listener, tls, made.uses().may_connect, up.apps.on_result)
        made.start(made.broker)
        try:
            yield made
        finally:
            made.wait(made.broker.stop())


class Line:
    """Two devices, a model and its next version, which is unsure of everything."""

    def __init__(self, up: Running, broker: Site, clock: FakeClock) -> None:
        self.up, self.broker, self.clock = up, broker, clock
        self.people, self.fleet, self.sequence = People(up.people_url), Fleet(up.core), 0
        rollouts = up.apps.services["rollouts"]  # as the app has wired it
        self.tick = RolloutLoop(up.core.database, rollouts).step
        self.fleet.join(*DEVICES, group="line")
        components = Components(up.core)
        with up.core.database.write() as session:
            self.models = [register(up.core, session, version) for version in (1, 2)]
            for model in self.models:
                components.package(session, model)
                release(components, session, model)

    def deploy(self, version: int, plan: RolloutPlan) -> str:
        document = DeploymentDocument(
            group_name="line",
            components={"tags.model": ComponentSpec(component_version=f"{version}.0.0")},
            rollout=plan,
        )
        made = self.people.deploy(document).rollout
        self.after(1)
        self.fleet.report_all(dict.fromkeys(DEVICES, Phase.HEALTHY))
        self.after(1)
        return made

    def after(self, seconds: float) -> None:
        """Time goes by, and the loop does what there is to do."""
        self.clock.advance(seconds)
        self.tick()

    def publish(self, model: ModelVersion, confidences: tuple[float, ...]) -> None:
        """Both devices publish 120 results each; all are acknowledged."""
        for device in DEVICES:
            with Client(self.broker, device).connected() as client:
                sent = []
                for n in range(120):
                    self.sequence += 1
                    detection = found("dent", confidences[n % len(confidences)])
                    _, payload = message(result(model, device, self.sequence, detection))
                    sent.append(client.publish(topics.results(device), payload))
                until(lambda sent=sent, client=client: client.acknowledged >= set(sent))

    def rollout(self, id_: str) -> Rollout:
        return self.people.rollout(id_)


def test_a_model_that_is_unsure_of_everything_is_sent_back(up: Running, broker: Site, clock: FakeClock) -> None:
    line = Line(up, broker, clock)
    old, new = line.models
    first = line.deploy(1, RolloutPlan(waves=PLAN.waves))
    assert line.rollout(first).state is RolloutState.SUCCEEDED
    line.publish(old, (0.85, 0.9, 0.95))
    second = line.deploy(2, PLAN)
    line.after(10)
    waiting = line.rollout(second)
    assert waiting.state is RolloutState.RUNNING  # healthy, and nobody knows yet whether the model is any good
    assert [gate.passed for gate in waiting.gates if gate.kind is GateKind.CONFIDENCE_SHIFT] == [None]
    line.publish(new, (0.3, 0.35, 0.4))
    with up.core.database.read() as session:
        assert [one.count for one in measures_of(session, "2020", "tags:2")] == [240]
    line.after(10)
    tripped = line.rollout(second)
    (gate,) = (gate for gate in tripped.gates if gate.kind is GateKind.CONFIDENCE_SHIFT)
    assert tripped.state is RolloutState.ROLLING_BACK
    assert (gate.passed, gate.reported, gate.unit) == (False, 2, "PSI")
    assert gate.value > 1.0
    line.fleet.report_all(dict.fromkeys(DEVICES, Phase.HEALTHY))
    line.after(1)
    assert line.rollout(second).state is RolloutState.FAILED
    assert [one.recipe_digest for one in line.fleet.desired("cam-1").components] == [
        one.recipe_digest for one in line.people.components() if (one.name, one.version) == ("tags.model", "1.0.0")
    ]
