"""Versions over time, drawn in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.contract.reported import ComponentState, ReportedComponent
from lineside.server.telemetry.adoption import AdoptionLoop
from lineside.server.testing import FakeClock, Running, running
from lineside.server.testing_device import TestDevice

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    """Three devices that went from one version to the next, one a minute."""
    clock = FakeClock(datetime.now(UTC) - timedelta(minutes=5))
    with running(tmp_path / "root", clock) as up:
        loop = AdoptionLoop(up.core)
        devices = [TestDevice.join(up, f"cam-{n}") for n in range(3)]
        for version, changing in (("1.0.0", devices), *(("2.0.0", [one]) for one in devices)):
            for device in changing:
                component = ReportedComponent(
                    name="tags.model",
                    version=version,
                    recipe_digest=f"sha256:{version}",
                    state=ComponentState.FINISHED,
                )
                assert device.report(revision=0, running=(component,)).is_success
            loop.step()
            clock.advance(60)
        yield up


def test_versions_are_drawn_one_above_the_other(page: Page, lineside: Running, screenshots: Path) -> None:
    page.goto(lineside.people_url + "/adoption")
    page.get_by_role("link", name="tags.model").click()
    chart = page.locator(".adoption[data-versions='1.0.0,2.0.0']")
    expect(chart.locator("canvas")).to_have_count(1)
    expect(chart.locator(".u-legend")).to_contain_text("2.0.0")
    expect(page.locator("td a", has_text="2.0.0")).to_be_visible()
    page.screenshot(path=screenshots / "adoption.png", full_page=True)
