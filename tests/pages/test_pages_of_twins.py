"""What a person sees of a twin test before deciding: stages, numbers against limits, what tests printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.contract.twin import TestResult
from lineside.server.testing import running
from lineside.server.twins.testing import Answered, answer_twins
from tests.pages import story

BAD = TestResult(component="plates.inference", name="fits", code=1, seconds=2.1, output="<b>12 of 13 fit</b>\n")


def test_a_model_that_failed_on_its_twin_says_which_number_and_is_tested_again_from_its_page(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "root", soak_seconds=0.0) as lineside:
        house = story.House(lineside, tmp_path / "plates")
        page.goto(lineside.people_url + "/models/plates/1")
        expect(page.get_by_text("generic-x86")).to_be_visible()
        row = page.locator("tr", has_text="latency p95 of plates.inference")
        expect(row).to_contain_text("40 ms")
        expect(row).to_contain_text("500 ms")

        page.get_by_role("button", name="Test it again").click()
        monkeypatch.setattr(
            story, "answer_twins", lambda core: answer_twins(core, Answered(latency=900.0, tests=(BAD,)))
        )
        house.deliver(house.twin, lambda: house._state() == "twin_failed")
        page.goto(lineside.people_url + "/models/plates/1")
        failed = page.locator(".error", has_text="The twin test failed")
        expect(failed).to_contain_text("latency p95 of plates.inference 900 ms, the limit is 500 ms")
        expect(failed).to_contain_text("the test fits of plates.inference failed (exit status 1)")
        page.get_by_text("test fits of plates.inference").last.click()
        expect(page.get_by_text("<b>12 of 13 fit</b>")).to_be_visible()
        page.get_by_role("link", name="stage by stage").click()
        expect(page.get_by_role("heading", name="Twin test of plates:1")).to_be_visible()
        expect(page.locator("tr", has_text="measuring").first).to_contain_text("failed")
