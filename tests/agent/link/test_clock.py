"""A device whose clock is wrong by years talks to its control plane, judges metadata by the right time, and says so.

The machine's clock cannot be set in a test, so the control plane lives in another year instead: its certificates, its
`Date`, what it thinks of assertions. To the device and to OpenSSL that is the same.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.agent.clock import Clock, rfc3339
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.watch import look_at_clock
from lineside.agent.keys.opening import open_keys
from lineside.agent.link import join_state
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import Link
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

YEARS = datetime.timedelta(days=365)
NOW = 1_800_000_000.0


class Ticking:
    """A clock's two sources, moved by hand."""

    def __init__(self, wall: float) -> None:
        self.wall = wall
        self.ticks = 50.0
        self.clock = Clock(lambda: self.wall, lambda: self.ticks)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


def date(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_a_clock_that_is_right_is_used_as_it_is() -> None:
    device = Ticking(NOW)
    device.clock.joined(rfc3339(NOW - 86_400))
    device.clock.heard(date(NOW + 3))
    assert device.clock.time() == NOW
    assert device.clock.plausible()


def test_before_the_join_date_time_goes_on_from_there() -> None:
    device = Ticking(0.0)
    device.clock.joined(rfc3339(NOW))
    assert not device.clock.plausible()
    device.passes(100)
    assert device.clock.time() == pytest.approx(NOW + 100)


@pytest.mark.parametrize("wrong", [-10 * YEARS, 10 * YEARS, datetime.timedelta(minutes=20)])
def test_the_control_plane_is_believed_until_the_clock_is_set(wrong: datetime.timedelta) -> None:
    device, conditions = Ticking(NOW + wrong.total_seconds()), Conditions()
    device.clock.heard(date(NOW))
    device.passes(30)
    look_at_clock(device.clock, conditions)
    assert device.clock.time() == pytest.approx(NOW + 30)
    assert conditions.holds("device.clock_wrong")
    device.wall = NOW + 31  # NTP came back
    look_at_clock(device.clock, conditions)
    assert device.clock.time() == NOW + 31
    assert conditions.current() == ()


def test_a_clock_that_is_off_by_half_a_minute_is_corrected_but_not_complained_about() -> None:
    device = Ticking(NOW - 30)
    device.clock.heard(date(NOW))
    assert device.clock.time() == pytest.approx(NOW)
    assert device.clock.plausible()


@pytest.mark.parametrize("text", ["", "yesterday", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_a_date_that_is_none_changes_nothing(text: str) -> None:
    device = Ticking(NOW)
    device.clock.heard(text)
    device.clock.joined(text)
    assert device.clock.time() == NOW
    assert not device.clock.sure()


@pytest.fixture(params=[-10, 4], ids=["ten-years-ago", "in-four-years"])
def elsewhen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlPlane]:
    (tmp_path / "elsewhen").mkdir()
    plane = ControlPlane(tmp_path / "elsewhen", request.param * YEARS)
    yield plane
    plane.close()


def year(plane: ControlPlane) -> str:
    return str((datetime.datetime.now(datetime.UTC) + plane.shift).year)


def test_a_device_with_a_wrong_clock_joins_and_becomes_healthy(elsewhen: ControlPlane, tmp_path: Path) -> None:
    """Only in the past is the metadata still good: `lifetime` is counted from this machine's clock."""
    past = elsewhen.shift < datetime.timedelta()
    elsewhen.tuf.lifetime = elsewhen.shift + datetime.timedelta(days=1) if past else datetime.timedelta(days=1)
    agent = AgentProcess(tmp_path / "cell-1", elsewhen)
    agent.join()
    assert join_state.load(agent.paths).joined_at[:4] == year(elsewhen)
    revision = elsewhen.want(elsewhen.release(recipe()))
    agent.start()
    report = elsewhen.wait_report(revision, Phase.HEALTHY if past else Phase.REFUSED)
    if not past:
        assert report.error is not None
        assert report.error.code == "trust.expired"
    eventually(lambda: "device.clock_wrong" in [one.code for one in agent.status().conditions])
    eventually(lambda: "device.clock_wrong" in [one.code for one in elsewhen.reports[-1].conditions])
    assert report.at[:4] == year(elsewhen)
    assert agent.end() == 0
    # A clock before the join date is known to be wrong, and asks first; else the refusal tells the time.
    assert elsewhen.served["token"] == (2 if past else 1)


def test_a_certificate_that_has_really_expired_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plane").mkdir()
    plane = ControlPlane(tmp_path / "plane", -2 * YEARS)
    agent = AgentProcess(tmp_path / "cell-1", plane)
    agent.join()
    plane.shift = datetime.timedelta()  # its clock is right, its certificate is two years old
    link = Link(plane.url, "cell-1", open_keys(agent.paths), agent.paths.ca, clock=Clock())
    with pytest.raises(LinkError, match="not valid now"):
        link.desired(None)
    link.close()
    plane.close()
