"""A filled control plane and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lineside.server.testing import running
from tests.eventually import PATIENCE
from tests.pages.story import House

_PATIENCE = 1000 * PATIENCE  # ms: other tests train and start whole plants meanwhile
expect.set_options(timeout=_PATIENCE)

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for all tests of pages, which change it in the order they stand in."""
    folder = tmp_path_factory.mktemp("house")
    with running(folder / "root", soak_seconds=0.0) as lineside:
        yield House(lineside, folder / "plates")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a screen. Ended with its module: Playwright keeps an event loop running in this thread,
    and later tests of the same worker want their own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test when a script fails or the browser refuses something."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(_PATIENCE)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield opened
    opened.close()
    assert complaints == []


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the pages are kept as build output."""
    folder = Path(__file__).resolve().parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
