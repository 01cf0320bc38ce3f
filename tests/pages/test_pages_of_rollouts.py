"""A rollout that failed, as somebody meets it at night: the first page names it, its own page says why."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from lineside.client.own_component import add_component
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase
from lineside.contract.rollout import RolloutState
from lineside.server.testing import until
from lineside.server.testing_device import TestDevice
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

LOG = "/var/lib/lineside/agents/plc-7/logs/com.example.factory.plc-bridge.log"  # wider than a phone
RECIPE = """
RecipeFormatVersion: "2020-01-25"
ComponentName: plc-bridge
ComponentVersion: 1.0.0
Manifests: [{Lifecycle: {Run: "true"}}]
"""


@pytest.fixture(scope="module")
def failed(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A rollout of one component, which broke on the group's only device."""
    recipe = tmp_path_factory.mktemp("plc") / "recipe.yaml"
    recipe.write_text(RECIPE)
    add_component(house.client, recipe)
    device = TestDevice.join(house.lineside, "plc-7", group="line-7")
    spec = ComponentSpec(component_version="1.0.0")
    deployed = house.client.deploy(DeploymentDocument(group_name="line-7", components={"plc-bridge": spec}))

    def told() -> Desired | None:
        house.tick()
        desired = msgspec.json.decode(device.get("/desired").content, type=Desired)
        return desired if desired.components else None

    error = LinesideError(
        "component.broken", name="plc-bridge", times="3 times in a row, the last time", why="exit status 1", log=LOG
    )
    desired: Desired = until(told)
    device.report(revision=desired.revision, phase=Phase.ROLLED_BACK, error=error.report()).raise_for_status()

    def ended() -> bool:
        house.tick()
        wanted = msgspec.json.decode(device.get("/desired").content, type=Desired)
        if not wanted.components:
            device.report(revision=wanted.revision, phase=Phase.IDLE).raise_for_status()
        return house.client.rollout(deployed.rollout).state is RolloutState.FAILED

    until(ended)
    return deployed.rollout


def test_a_failed_rollout_needs_a_person_and_its_page_says_why_and_what_next(
    page: Page, house: House, failed: str, screenshots: Path
) -> None:
    broke = "plc-bridge failed 3 times in a row, the last time with exit status 1."
    open_page(page, house, "/")
    page.locator(".needs").get_by_role("link", name=f"{failed} to line-7 failed. plc-7: {broke}").click()
    why = page.locator(".waits")
    expect(why).to_contain_text("Why: a gate tripped: 'failed in wave 1' is 100.0 %, over its limit of 20.0 %")
    expect(why).to_contain_text("1 device is back on what worked before.")
    problem = page.locator(".failure", has=page.get_by_role("heading", name="1 device failed: plc-7"))
    expect(problem).to_contain_text(f"{broke}Next: See its log: lineside devices logs plc-7 plc-bridge; on the device")
    keep(page, screenshots, "rollout-failed")


def test_a_failed_rollout_and_its_device_fit_a_phone(page: Page, house: House, failed: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for path in (f"/rollouts/{failed}", "/devices/plc-7"):
        open_page(page, house, path)
        expect(page.locator(".error", has_text=LOG).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
