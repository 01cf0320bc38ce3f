"""What a candidate in the shadow has seen is shown with its device."""

from __future__ import annotations

import httpx
import msgspec
import pytest
from rich.console import Console

from lineside.cli.device_view import device_view
from lineside.contract.device import Device
from lineside.contract.reported import ComponentState, ReportedComponent
from lineside.contract.shadow import ShadowState, ShadowStatus, shadow_of
from lineside.server.testing import Running
from lineside.server.testing_device import TestDevice

LOOKING = ShadowStatus(
    state=ShadowState.LOOKING, model="tags", version=4, sampled=40, looked=30, agreed=27, only_new=5, only_old=1, kept=2
)


def runtime(shadow: object) -> ReportedComponent:
    probe = {"state": "ready", "shadow": msgspec.to_builtins(shadow)}
    return ReportedComponent(
        name="tags.inference", version="1.0.0", recipe_digest="", state=ComponentState.RUNNING, probe=probe
    )


def test_people_see_how_often_a_candidate_agrees(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    device.report(revision=1, running=(runtime(LOOKING),)).raise_for_status()
    words = "tags:4 looked at 30 of 40 sampled images and agrees on 27 (90.0 %); it alone found 5 objects, and not 1"
    page = httpx.get(f"{lineside.people_url}/devices/cam-1").text
    assert f"Shadow: {words} that were decided; 2 pictures kept" in page
    assert "/captures?device=cam-1&amp;strategy=shadow" in page
    shown = msgspec.json.decode(httpx.get(f"{lineside.people_url}/api/v1/devices/cam-1").content, type=Device)
    console = Console(width=400)
    with console.capture() as drawn:
        console.print(device_view(shown))
    assert f"Shadow of tags.inference: {words}" in drawn.get()


def test_one_object_and_one_picture_are_said_in_the_singular() -> None:
    told = ShadowStatus(state=ShadowState.LOOKING, model="tags", version=4, only_new=1, kept=1).told
    assert "it alone found 1 object, and not 0 that were decided; 1 picture kept" in told


@pytest.mark.parametrize("said", [5, [], "off", {"state": "dancing"}, {"looked": "many"}])
def test_what_is_no_word_of_a_shadow_is_passed_over(lineside: Running, said: object) -> None:
    assert shadow_of({"shadow": said}) is None
    device = TestDevice.join(lineside, "cam-1")
    device.report(revision=1, running=(runtime(said),)).raise_for_status()
    assert "Shadow" not in httpx.get(f"{lineside.people_url}/devices/cam-1").text


def test_in_words_it_says_why_it_does_not_look() -> None:
    assert shadow_of({}) is None
    assert ShadowStatus(state=ShadowState.OFF, why="There is none.").told == "off. There is none."
    assert ShadowStatus().told == "loading."
    assert ShadowStatus(state=ShadowState.LOOKING, model="tags", version=4).told.startswith(
        "tags:4 looked at 0 of 0 sampled images and agrees on 0;"
    )
