"""Inquiries over real HTTP: a person asks, the device answers in parts, and nothing waits for ever."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from lineside.contract.errors import ErrorReport
from lineside.contract.inquiry import (
    MAX_PART,
    MAX_PICTURE,
    CheckResult,
    Inquiry,
    InquiryAnswer,
    InquiryKind,
    InquiryPart,
    InquiryRequest,
    LivePicture,
)
from lineside.server.devices.inquiries import MOST_OPEN, MOST_PARTS, PICTURES_KEPT, Inquiries
from lineside.server.testing import FakeClock, Running, make_core, running
from lineside.server.testing_device import TestDevice

pytestmark = pytest.mark.both_databases

LOGS = InquiryRequest(kind=InquiryKind.LOGS, component="tags.inference", lines=10)
FOLLOW = InquiryRequest(kind=InquiryKind.LOGS, follow=True, ttl_seconds=60)


@pytest.fixture
def device(lineside: Running) -> TestDevice:
    return TestDevice.join(lineside, "cam-1")


def call(lineside: Running, method: str, path: str, body: Any = None) -> httpx.Response:
    content = None if body is None else msgspec.json.encode(body)
    return httpx.request(method, f"{lineside.people_url}/api/v1/devices/{path}", content=content)


def ask(lineside: Running, request: InquiryRequest, device: str = "cam-1") -> Inquiry:
    answer = call(lineside, "POST", f"{device}/inquiries", request)
    assert answer.status_code == 201, answer.text
    return msgspec.json.decode(answer.content, type=Inquiry)


def read(lineside: Running, inquiry: Inquiry, after: int = -1) -> InquiryAnswer:
    answer = call(lineside, "GET", f"cam-1/inquiries/{inquiry.id}?after={after}")
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=InquiryAnswer)


def asked(device: TestDevice) -> list[Inquiry]:
    return msgspec.json.decode(device.get("/inquiries").content, type=list[Inquiry])


def say(device: TestDevice, inquiry: Inquiry, number: int, **part: Any) -> httpx.Response:
    return device.post(f"/inquiries/{inquiry.id}/parts", InquiryPart(number=number, **part))


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_a_device_answers_in_parts_and_each_is_read_once(lineside, device):
    inquiry = ask(lineside, LOGS)
    (heard,) = asked(device)
    assert (heard.id, heard.request, heard.next_part) == (inquiry.id, LOGS, 0)
    assert 0 < heard.ttl_seconds <= LOGS.ttl_seconds
    assert read(lineside, inquiry).parts == ()
    assert say(device, inquiry, 0, text="one\n").status_code == 200
    assert say(device, inquiry, 1, text="two\n", done=True).status_code == 200
    whole = read(lineside, inquiry)
    assert ([part.text for part in whole.parts], whole.done, whole.expired) == (["one\n", "two\n"], True, False)
    assert [part.number for part in read(lineside, inquiry, after=0).parts] == [1]
    assert asked(device) == []


def test_a_poll_says_that_something_is_asked_even_when_nothing_else_is_new(lineside, device):
    quiet = device.get("/desired")
    assert "lineside-asked" not in quiet.headers
    inquiry = ask(lineside, LOGS)
    again = device.get("/desired", headers={"If-None-Match": quiet.headers["etag"]})
    assert (again.status_code, again.headers["lineside-asked"]) == (304, "1")
    say(device, inquiry, 0, done=True)
    assert "lineside-asked" not in device.get("/desired").headers


def test_what_a_diagnosis_found_travels_with_its_next_step(lineside, device):
    inquiry = ask(lineside, InquiryRequest(kind=InquiryKind.DIAGNOSE))
    check = CheckResult(name="disk", ok=False, sentence="The disk is full.", next="Free some space.")
    say(device, inquiry, 0, checks=(check,), error=ErrorReport(code="x.y", message="No more."), done=True)
    (part,) = read(lineside, inquiry).parts
    assert part.checks == (check,)
    assert part.error is not None


def test_a_part_that_was_sent_twice_changes_nothing(lineside, device):
    inquiry = ask(lineside, LOGS)
    say(device, inquiry, 0, text="one\n", done=True)
    again = say(device, inquiry, 0, text="other\n", done=True)
    assert again.status_code == 200
    assert [part.text for part in read(lineside, inquiry).parts] == ["one\n"]


def test_a_device_that_started_again_is_told_where_to_go_on(lineside, device):
    inquiry = ask(lineside, FOLLOW)
    answer = say(device, inquiry, 0, text="one\n")
    assert msgspec.json.decode(answer.content, type=Inquiry).next_part == 1
    assert asked(device)[0].next_part == 1


def test_an_inquiry_expires_and_then_takes_no_more(lineside, device, clock):
    inquiry = ask(lineside, LOGS)
    clock.advance(LOGS.ttl_seconds + 1)
    assert asked(device) == []
    assert read(lineside, inquiry).expired
    late = say(device, inquiry, 0, text="late\n")
    assert (late.status_code, code(late)) == (409, "inquiry.ended")
    clock.advance(3700)
    ask(lineside, LOGS)
    assert call(lineside, "GET", f"cam-1/inquiries/{inquiry.id}").status_code == 404  # forgotten in time


def test_following_goes_on_for_as_long_as_somebody_reads(lineside, device, clock):
    inquiry = ask(lineside, FOLLOW)
    say(device, inquiry, 0)
    for number in range(1, 6):
        clock.advance(40)
        assert not read(lineside, inquiry).expired
        assert say(device, inquiry, number, text="line\n").status_code == 200
    clock.advance(61)
    assert asked(device) == []


def test_following_ends_when_the_device_never_spoke_or_falls_silent(lineside, device, clock):
    first, second = ask(lineside, FOLLOW), ask(lineside, FOLLOW)
    say(device, second, 0)
    for _ in range(8):
        clock.advance(25)
        never, silent = read(lineside, first), read(lineside, second)
    assert never.expired
    assert silent.expired


def test_who_asked_may_end_it(lineside, device):
    inquiry = ask(lineside, FOLLOW)
    for _ in range(2):
        assert call(lineside, "POST", f"cam-1/inquiries/{inquiry.id}/end").json()["done"]
    assert asked(device) == []
    assert code(say(device, inquiry, 0, text="line\n")) == "inquiry.ended"


def test_a_control_plane_that_starts_again_still_knows(tmp_path: Path, clock: FakeClock):
    with running(tmp_path / "root", clock) as lineside:
        device = TestDevice.join(lineside, "cam-1")
        inquiry = ask(lineside, FOLLOW)
        say(device, inquiry, 0, text="one\n")
    core = make_core(tmp_path / "root", clock)
    again = Inquiries(core)
    assert [one.next_part for one in again.open("cam-1")] == [1]
    assert [part.text for part in again.answer("cam-1", inquiry.id).parts] == ["one\n"]
    core.database.close()


def test_everything_is_bounded(lineside, device):
    inquiry = ask(lineside, FOLLOW)
    for number in range(MOST_PARTS + 3):
        say(device, inquiry, number, text=f"{number}\n")
    kept = read(lineside, inquiry).parts
    assert [part.number for part in kept] == list(range(3, MOST_PARTS + 3))
    assert code(say(device, inquiry, 999, text="x" * (MAX_PART + 1))) == "request.invalid"
    for _ in range(MOST_OPEN - 1):
        ask(lineside, LOGS)
    refused = call(lineside, "POST", "cam-1/inquiries", LOGS)
    assert (refused.status_code, code(refused)) == (429, "inquiry.too_many")


@pytest.mark.parametrize(
    "change",
    [{"lines": 0}, {"lines": 10**9}, {"ttl_seconds": 0}, {"ttl_seconds": 10**6}, {"component": "../etc/passwd"}],
)
def test_what_makes_no_sense_is_refused(lineside, device, change):
    refused = call(lineside, "POST", "cam-1/inquiries", msgspec.structs.replace(LOGS, **change))
    assert (refused.status_code, code(refused)) == (400, "request.invalid")


def test_a_device_sees_and_answers_its_own_only(lineside, device):
    other = TestDevice.join(lineside, "cam-2")
    inquiry = ask(lineside, LOGS)
    assert asked(other) == []
    assert say(other, inquiry, 0, text="mine\n").status_code == 404
    assert call(lineside, "GET", f"cam-2/inquiries/{inquiry.id}").status_code == 404


def test_nobody_asks_a_device_that_is_not_there_or_was_shut_out(lineside, device):
    assert code(call(lineside, "POST", "nobody/inquiries", LOGS)) == "request.not_found"
    call(lineside, "POST", "cam-1/revoke")
    assert code(call(lineside, "POST", "cam-1/inquiries", LOGS)) == "inquiry.not_accepted"


def test_the_device_is_hinted_once_the_question_is_stored(tmp_path: Path, clock: FakeClock):
    hinted = threading.Event()

    class Told:
        def hint(self, device: str) -> None:
            assert device == "cam-1"
            hinted.set()

        def drop(self, device: str, serial: str | None = None) -> None:
            pass

    with running(tmp_path / "root", clock) as lineside:
        TestDevice.join(lineside, "cam-1")
    core = replace(make_core(tmp_path / "root", clock), hints=Told())
    Inquiries(core).ask("cam-1", LOGS)
    assert hinted.is_set()
    core.database.close()


def test_asking_is_an_event(lineside, device):
    ask(lineside, LOGS)
    events = httpx.get(f"{lineside.people_url}/api/v1/events").json()["events"]
    assert events[0]["message"] == "cam-1 was asked for the log of tags.inference."


def picture(jpeg: bytes = b"jpeg") -> LivePicture:
    return LivePicture(
        jpeg=jpeg, source="cam", image="a", captured_at="", width=4, height=3, model="tags", version=1, latency_ms=1.0
    )


def test_a_live_picture_is_asked_for_by_name_and_only_the_newest_are_kept(
    lineside: Running, device: TestDevice
) -> None:
    """Who looked is in the audit trail."""
    wanted = InquiryRequest(kind=InquiryKind.PICTURE, component="tags.inference", follow=True)
    inquiry = ask(lineside, wanted)
    assert asked(device)[0].request == wanted
    for number in range(6):
        assert say(device, inquiry, number, picture=picture(b"%d" % number)).status_code < 300
    parts = read(lineside, inquiry).parts
    assert [part.picture.jpeg for part in parts if part.picture] == [b"4", b"5"]
    assert len(parts) == PICTURES_KEPT
    assert say(device, inquiry, 6, picture=picture(bytes(MAX_PICTURE + 1))).status_code == 400
    trail = httpx.get(f"{lineside.people_url}/api/v1/audit").text
    assert "device.ask" in trail
    assert "for what tags.inference sees" in trail
    for bad in ({"component": None}, {"ttl_seconds": 61}):
        refused = call(lineside, "POST", "cam-1/inquiries", msgspec.structs.replace(wanted, **bad))
        assert refused.status_code == 400
