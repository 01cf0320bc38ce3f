"""Secrets by clicking: a value goes in and is never seen again; who may have it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.contract.desired import DesiredComponent
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.testing import running
from lineside.server.testing_device import TestDevice
from tests.pages.test_pages import keep
from tests.server.secrets.conftest import recipe

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

VALUE = "hunter2-planted"


def test_a_secret_is_set_seen_by_name_alone_and_removed(page: Page, tmp_path: Path, screenshots: Path) -> None:
    with running(tmp_path / "root") as lineside:
        device = TestDevice.join(lineside, "cell-1")
        digest = lineside.core.objects.put(recipe("com.example.Reader", ["line1/db"]))
        wanted = DesiredComponent(name="reader", version="1.0.0", target="apps/r.json", recipe_digest=digest)
        with lineside.core.database.write() as session:
            DesiredDocuments(lineside.core).set_many(session, ["cell-1"], (wanted,), None)
        page.goto(f"{lineside.people_url}/secrets")
        expect(page.get_by_text("No secret yet")).to_be_visible()
        page.get_by_label("Name").fill("line1/db")
        page.get_by_label("Value").fill(VALUE)
        page.get_by_role("button", name="Set").click()
        row = page.get_by_role("row", name="line1/db")
        expect(row).to_contain_text("tester")
        assert VALUE not in page.content()
        device.get("/secrets").raise_for_status()
        row.get_by_role("link", name="line1/db").click()
        expect(page.locator("h1")).to_have_text("line1/db")
        given = page.get_by_role("row", name="cell-1")
        expect(given).to_contain_text("yes")
        expect(given.locator("time")).to_be_visible()
        assert VALUE not in page.content()
        keep(page, screenshots, "secret")
        page.set_viewport_size({"width": 420, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        page.get_by_role("link", name="Secrets").last.click()
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("No secret yet")).to_be_visible()
