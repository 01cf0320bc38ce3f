"""The review page in Chromium: boxes drawn with the mouse and with keys are what is stored; undo; the queue goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.contract.dataset import Box
from lineside.contract.review import ReviewItem, ReviewState
from tests.pages.story import House
from tests.pages.test_pages import keep, open_page
from tests.server.review.world import HEIGHT, SCRATCH, WIDTH, made

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

DEVICE = "desk-cam"


@pytest.fixture(scope="module")
def captures(house: House) -> list[str]:
    """Six captures of one device; the newest comes first."""
    services, names = house.lineside.apps.services, [f"desk-{n}" for n in range(6)]
    for number, name in enumerate(names):
        record, data = made(name, device=DEVICE, seed=200 + number, found=None if number == 0 else (SCRATCH,))
        ticket = services["captures"].announce(DEVICE, record)
        services["captures"].upload(DEVICE, ticket.id, [data])
        services["reviews"].intake.step()
    return names


def desk(page: Page, house: House, capture: str) -> None:
    """The desk of this device's captures, with one of them shown."""
    open_page(page, house, f"/review?device={DEVICE}&capture={capture}")
    expect(page.locator("#review")).to_have_attribute("data-capture", capture)


def sent(page: Page, times: int = 1) -> None:
    """The page has told the control plane so often, and knows that it came."""
    expect(page.locator("#review")).to_have_attribute("data-sent", str(times))


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture is on the screen."""
    found = page.evaluate(
        "([x, y]) => { const p = new DOMPoint(x, y).matrixTransform("
        "document.querySelector('.review-stage svg').getScreenCTM()); return [p.x, p.y]; }",
        [x, y],
    )
    return found[0], found[1]


def drag(page: Page, one: tuple[float, float], other: tuple[float, float]) -> None:
    """With the mouse, from a pixel of the picture to another."""
    page.mouse.move(*at(page, *one))
    page.mouse.down()
    page.mouse.move(*at(page, *other), steps=4)
    page.mouse.up()


def near(box: Box, *edges: float) -> bool:
    """Within a pixel and a half: the screen's pixels are not the picture's."""
    return all(abs(a - b) <= 1.5 for a, b in zip((box.x, box.y, box.width, box.height), edges, strict=True))


def stored(house: House, capture: str) -> ReviewItem:
    return house.client.review(capture)


def test_boxes_drawn_moved_and_resized_with_the_mouse_are_what_is_stored(
    page: Page, house: House, captures: list[str], screenshots: Path
) -> None:
    desk(page, house, "desk-5")
    page.get_by_placeholder("C, type, Enter").fill("dent")
    page.get_by_placeholder("C, type, Enter").press("Enter")
    drag(page, (60, 45), (100, 70))  # a new one
    drag(page, (25, 32), (30, 37))  # the predicted one, by (5, 5)
    page.wait_for_function("() => document.querySelector('.review-stage image').getAttribute('href')")
    keep(page, screenshots, "review")
    drag(page, (15, 25), (11, 21))  # its corner: 4 wider and higher
    page.keyboard.press("Enter")
    sent(page)
    item = stored(house, "desk-5")
    scratch, dent = item.labels or ()
    assert (scratch.label, dent.label) == ("scratch", "dent")
    assert near(scratch, 11, 21, 34, 29)
    assert near(dent, 60, 45, 40, 25)
    assert [box.source.kind.value for box in (scratch, dent) if box.source] == ["person", "person"]
    assert item.answers[0].tool == "page"


def test_boxes_made_with_keys_are_what_is_stored(page: Page, house: House, captures: list[str]) -> None:
    desk(page, house, "desk-4")
    for key in (
        "Tab",
        "ArrowRight",
        "Control+ArrowDown",
        "Shift+ArrowRight",
        "Escape",
        "b",
        "Control+ArrowUp",
        "Enter",
    ):
        page.keyboard.press(key)
    sent(page)
    scratch, new = stored(house, "desk-4").labels or ()
    assert (scratch.x, scratch.y, scratch.width, scratch.height) == (11, 30, 31, 25)
    assert (new.x, new.y, new.width, new.height) == (WIDTH * 0.375, HEIGHT * 0.375 - 10, WIDTH / 4, HEIGHT / 4)


def test_accepting_goes_on_and_undo_brings_it_back(page: Page, house: House, captures: list[str]) -> None:
    desk(page, house, "desk-3")
    page.keyboard.press("a")
    sent(page)
    assert stored(house, "desk-3").answers[0].kind.value == "accept"
    expect(page.locator("#review")).not_to_have_attribute("data-capture", "desk-3")
    page.keyboard.press("z")
    sent(page, 2)
    expect(page.locator("#review")).to_have_attribute("data-capture", "desk-3")
    assert (stored(house, "desk-3").state, stored(house, "desk-3").answers) == (ReviewState.WAITING, ())
    for key in ("Tab", "Delete", "a"):  # nothing is left of it
        page.keyboard.press(key)
    sent(page, 3)
    assert (stored(house, "desk-3").labels, stored(house, "desk-3").answers[0].kind.value) == ((), "nothing")


def test_nothing_unsure_and_skip(page: Page, house: House, captures: list[str]) -> None:
    for times, (capture, key) in enumerate((("desk-2", "n"), ("desk-1", "u")), 1):
        if times == 1:
            desk(page, house, capture)
        expect(page.locator("#review")).to_have_attribute("data-capture", capture)
        page.keyboard.press(key)
        sent(page, times)
    assert stored(house, "desk-2").labels == ()
    assert stored(house, "desk-1").state is ReviewState.UNSURE


def test_a_capture_without_a_model_and_zoom(page: Page, house: House, captures: list[str]) -> None:
    """A box drawn while zoomed in is where it was drawn; the wheel zooms around the pointer."""
    desk(page, house, "desk-0")
    page.locator("[data-part=classes] button").or_(page.get_by_placeholder("C, type, Enter")).first.wait_for()
    page.get_by_placeholder("C, type, Enter").fill("scratch")
    page.get_by_placeholder("C, type, Enter").press("Enter")
    page.mouse.move(*at(page, 30, 40))
    for _ in range(4):
        page.mouse.wheel(0, -100)
    expect(page.locator(".review-stage svg")).to_have_attribute("viewBox", re.compile(r"^\S+ \S+ 5\d\."))
    drag(page, (25.5, 35.5), (40.25, 45.5))
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    sent(page)
    (box,) = stored(house, "desk-0").labels or ()
    assert near(box, 25.5, 35.5, 14.75, 10)
    expect(page.locator("[data-part=why]")).to_have_text("Nothing waits for you.")


def test_what_was_reviewed_is_listed_and_made_a_dataset(page: Page, house: House, captures: list[str]) -> None:
    open_page(page, house, "/review/captures?stands=reviewed")
    expect(page.locator("figure")).to_have_count(5)
    open_page(page, house, "/review")
    page.get_by_label("Dataset").fill("desk")
    page.get_by_role("button", name="Make it of what was reviewed").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("desk")
    assert house.client.dataset("desk").format == "review"


def test_a_capture_that_is_not_in_review_is_said_so_and_not_asked_for(page: Page, house: House) -> None:
    open_page(page, house, "/review?capture=capture-0")
    expect(page.get_by_text("The capture capture-0 is not in review")).to_be_visible()
