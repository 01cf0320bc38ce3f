"""Expired metadata: what runs keeps running, nothing new installs, an alarm rises and passes."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest

from lineside.agent.clock import Clock
from lineside.agent.database import Database
from lineside.agent.health.conditions import Conditions
from lineside.agent.link.error import LinkError
from lineside.agent.updating.freshness import AGAIN_SECONDS, EXPIRED, LOOK_SECONDS, Freshness
from lineside.agent.updating.verdicts import Done, Refresh
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.rig import Rig
from tests.agent.test_trusted_metadata import verifier
from tests.agent.tuf_repository import TufRepository
from tests.eventually import eventually

NOW = 1_800_000_000.0
DAY = 86_400.0


class Bench:
    """A `Freshness` whose metadata, network and time are moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.now, self.looks, self.reached = NOW, 0, True
        self.expires: float = NOW + DAY
        self.failure: LinesideError | None = None
        self.conditions = Conditions()
        self.database = Database(folder / "agent.db")
        self.freshness = self.made()

    def made(self) -> Freshness:
        clock = Clock(lambda: self.now, lambda: self.now)
        return Freshness(
            self.refresh, self.database, self.conditions, clock, lambda: self.reached, ticks=lambda: self.now
        )

    def refresh(self) -> float:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        return self.expires

    def after(self, seconds: float) -> bool:
        """Whether the alarm is up that much later."""
        self.now += seconds
        self.freshness.look(None)
        return self.conditions.holds(EXPIRED)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_device_that_wants_nothing_looks_now_and_then(bench: Bench) -> None:
    assert not bench.after(AGAIN_SECONDS)
    assert bench.looks == 1
    for _ in range(60):
        bench.after(LOOK_SECONDS / 100)
    assert bench.looks == 1
    bench.expires = bench.now + DAY
    bench.after(LOOK_SECONDS)
    assert bench.looks == 2


def test_metadata_that_has_expired_is_an_alarm_until_there_is_newer(bench: Bench) -> None:
    bench.failure = LinesideError(EXPIRED, why="timestamp.json is expired")
    assert bench.after(AGAIN_SECONDS)
    (report,) = bench.conditions.current()
    assert "timestamp.json is expired" in report.message
    bench.failure = None
    assert not bench.after(AGAIN_SECONDS)


def test_metadata_that_somebody_keeps_away_is_an_alarm_once_it_has_expired(bench: Bench) -> None:
    bench.after(AGAIN_SECONDS)
    bench.failure = LinkError("link.timeout", url="https://plane")
    assert not bench.after(DAY / 2)
    assert bench.after(DAY)
    bench.conditions.clear(EXPIRED)
    bench.freshness = bench.made()  # a restart forgets nothing
    assert bench.after(AGAIN_SECONDS)


def test_a_device_that_is_cut_off_complains_of_that_and_not_of_metadata(bench: Bench) -> None:
    bench.after(AGAIN_SECONDS)
    bench.failure, bench.reached = LinkError("link.timeout", url="https://plane"), False
    assert not bench.after(2 * DAY)


def test_a_document_that_is_refused_for_it_is_an_alarm_at_once(bench: Bench) -> None:
    error = LinesideError(EXPIRED, why="approvers: approvers metadata is expired").report()
    bench.freshness.look(error)
    assert bench.conditions.current() == (error,)
    assert bench.looks == 0


def test_other_mistakes_of_the_metadata_are_no_expiry(bench: Bench) -> None:
    bench.failure = LinesideError("trust.signature", why="nobody signed it")
    assert not bench.after(AGAIN_SECONDS)


def test_what_runs_keeps_running_and_nothing_new_installs(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path)
    agent = AgentProcess(tmp_path / "cell-1", plane)
    agent.join()
    good = plane.want(plane.release(recipe()))
    agent.start()
    plane.wait_report(good, Phase.HEALTHY)
    before = agent.status().components[0]
    plane.tuf.lifetime = datetime.timedelta(seconds=-60)
    wanted = plane.release(recipe(version="2.0.0"))
    refused = plane.wait_report(plane.want(wanted), Phase.REFUSED)
    assert refused.error is not None
    assert refused.error.code == EXPIRED
    assert [(one.name, one.version) for one in refused.running] == [("app", "1.0.0")]
    eventually(lambda: EXPIRED in [one.code for one in plane.reports[-1].conditions])  # reported
    eventually(lambda: EXPIRED in [one.code for one in agent.status().conditions])  # and visible on the device
    assert agent.status().components[0] == before
    plane.tuf.lifetime = datetime.timedelta(days=1)
    plane.tuf.publish()
    plane.wait_report(plane.want(wanted), Phase.HEALTHY)
    eventually(lambda: EXPIRED not in [one.code for one in plane.reports[-1].conditions])
    assert agent.end() == 0
    plane.close()


def test_an_agent_that_wants_nothing_looks_by_itself(tmp_path: Path) -> None:
    """The whole agent, its judge a process: only the wait of some minutes is left out."""
    rig, repository = Rig(tmp_path / "cell-1"), TufRepository()
    rig.paths.trusted_root.parent.mkdir(parents=True)
    rig.paths.trusted_root.write_text(repository.root)

    def look() -> bool:
        rig.control.files = {f"tuf/{name}": data for name, data in repository.files.items()}
        rig.agent._freshness._next = 0.0
        rig.live()
        return rig.agent.conditions.holds(EXPIRED)

    rig.want(1)
    rig.boot()
    assert not look()
    repository.lifetime = datetime.timedelta(seconds=-60)
    repository.publish()
    assert look()
    repository.lifetime = datetime.timedelta(days=1)
    repository.publish()
    assert not look()
    rig.off()


def test_the_expiry_is_that_of_what_was_read(tmp_path: Path) -> None:
    answer = verifier(tmp_path / "metadata", TufRepository()).answer(Refresh())
    assert isinstance(answer, Done)
    assert abs(answer.expires - time.time() - DAY) < 60
