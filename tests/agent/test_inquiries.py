"""Answers to what people ask: in parts, bounded, told once, and dropped when nobody wants them any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lineside.agent.link import inquiries as module
from lineside.agent.link.inquiries import PIECE, Inquiries
from lineside.agent.supervision.processes import StopSignal
from lineside.agent.testing import FakeControlPlane
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import MAX_PART, CheckResult, Inquiry, InquiryKind, InquiryRequest, LivePicture
from tests.eventually import PATIENCE, eventually


class Log:
    """A log in memory that a test prints to."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = threading.Event()

    def read(self, limit: int) -> bytes:
        data, self.data = self.data[:limit], self.data[limit:]
        return data

    def close(self) -> None:
        self.closed.set()


class Device:
    """What answers come from. `broken`: the checks fail."""

    def __init__(self) -> None:
        self.logs: dict[str | None, Log] = {}
        self.broken = False
        self.lines = 0
        self.pictures: list[LivePicture | None] = []

    def log(self, component: str | None, lines: int) -> Log:
        self.lines = lines
        if component not in self.logs:
            raise LinesideError("inquiry.no_log", device="cell-1", component=component)
        return self.logs[component]

    def picture(self, component: str | None) -> LivePicture | None:
        if component is None:
            raise LinesideError("inquiry.no_picture", component=component, why="it is no component")
        return self.pictures.pop(0) if self.pictures else None

    def checks(self) -> Iterator[CheckResult]:
        yield CheckResult(name="disk", ok=True, sentence="There is room.")
        if self.broken:
            raise OSError(5, "Input/output error")
        yield CheckResult(name="clock", ok=False, sentence="It is years off.", next="Set it.")


class Stand:
    """An `Inquiries` over a control plane in memory."""

    def __init__(self) -> None:
        self.plane, self.device, self.stop = FakeControlPlane(), Device(), StopSignal()
        self.inquiries = Inquiries("cell-1", self.plane, self.device, self.stop)

    def ask(self, id_: str = "inquiry-1", next_part: int = 0, ttl: float = 30.0, **request: Any) -> str:
        asked = InquiryRequest(**({"kind": InquiryKind.LOGS} | request))
        self.plane.questions[id_] = Inquiry(
            id=id_, request=asked, expires_at="2026-01-01T00:00:00.000Z", ttl_seconds=ttl, next_part=next_part
        )
        self.inquiries.look()
        return id_

    def log(self, component: str | None, data: bytes = b"") -> Log:
        self.device.logs[component] = Log()
        self.device.logs[component].data = data
        return self.device.logs[component]

    def text(self, id_: str) -> str:
        return "".join(part.text for part in self.plane.answers.get(id_, []))

    def ended(self, id_: str) -> bool:
        return any(part.done for part in self.plane.answers.get(id_, []))

    def idle(self) -> bool:
        return not any(thread.name == "inquiries" and thread.is_alive() for thread in threading.enumerate())


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setattr(module, "TICK", 0.01)
    stand = Stand()
    yield stand
    stand.stop.set()
    stand.inquiries.join()
    eventually(stand.idle)


def test_no_thread_lives_when_nothing_is_asked(stand):
    stand.inquiries.look()
    assert stand.idle()
    stand.log("app", b"one\n")
    asked = stand.ask(component="app")
    eventually(lambda: stand.ended(asked))
    eventually(stand.idle)
    again = stand.ask("inquiry-2", component="app")
    eventually(lambda: stand.ended(again))


def test_the_last_lines_of_a_log_come_in_parts_that_are_not_too_large(stand):
    log = stand.log("app", b"".join(b"line %d\n" % number for number in range(20_000)) + b"\xff\xfe" * PIECE)
    whole = log.data.decode("utf-8", "replace")
    asked = stand.ask(component="app", lines=700)
    eventually(lambda: stand.ended(asked))
    assert stand.text(asked) == whole
    assert stand.device.lines == 700
    assert all(len(part.text.encode()) <= MAX_PART for part in stand.plane.answers[asked])
    assert [part.number for part in stand.plane.answers[asked]] == list(range(len(stand.plane.answers[asked])))
    assert log.closed.is_set()


def test_following_sends_what_is_printed_until_nobody_asks_any_more(stand):
    log = stand.log(None, b"one\n")
    asked = stand.ask(follow=True)
    eventually(lambda: stand.text(asked) == "one\n")
    log.data = b"two\n"
    eventually(lambda: stand.text(asked) == "one\ntwo\n")
    assert not stand.ended(asked)
    del stand.plane.questions[asked]
    log.data = b"three\n"
    assert log.closed.wait(PATIENCE)
    assert stand.text(asked) == "one\ntwo\n"


def test_following_ends_with_its_time(stand):
    log = stand.log("app")
    stand.ask(component="app", follow=True, ttl=0.05)
    assert log.closed.wait(PATIENCE)


def test_a_control_plane_that_goes_away_gets_the_same_part_again(stand):
    log = stand.log("app", b"one\n")
    asked = stand.ask(component="app", follow=True)
    eventually(lambda: stand.text(asked) == "one\n")
    stand.plane.away = True
    log.data = b"two\n"
    eventually(lambda: not log.data)
    stand.plane.away = False
    eventually(lambda: stand.text(asked) == "one\ntwo\n")


def test_an_agent_that_started_again_counts_on(stand):
    stand.plane.answers["inquiry-1"] = []
    stand.log("app", b"one\n")
    stand.ask(component="app", next_part=3)
    eventually(lambda: stand.plane.answers["inquiry-1"])
    assert stand.plane.answers["inquiry-1"][0].number == 3


def test_a_component_without_a_log_is_told(stand):
    asked = stand.ask(component="nothing")
    eventually(lambda: stand.ended(asked))
    (part,) = stand.plane.answers[asked]
    assert part.error is not None
    assert part.error.code == "inquiry.no_log"


def test_a_diagnosis_comes_check_by_check(stand):
    asked = stand.ask(kind=InquiryKind.DIAGNOSE)
    eventually(lambda: stand.ended(asked))
    checks = [check for part in stand.plane.answers[asked] for check in part.checks]
    assert [(check.name, check.ok) for check in checks] == [("disk", True), ("clock", False)]


def test_a_check_that_breaks_says_so_and_keeps_what_was_found(stand):
    stand.device.broken = True
    asked = stand.ask(kind=InquiryKind.DIAGNOSE)
    eventually(lambda: stand.ended(asked))
    parts = stand.plane.answers[asked]
    assert parts[0].checks[0].name == "disk"
    assert parts[-1].error is not None
    assert parts[-1].error.code == "inquiry.failed"
    assert "Input/output error" in parts[-1].error.message


def test_several_people_may_ask_at_once(stand):
    stand.log("a", b"of a\n")
    stand.log("b", b"of b\n")
    first = stand.ask("inquiry-a", component="a", follow=True)
    second = stand.ask("inquiry-b", component="b", follow=True)
    third = stand.ask("inquiry-c", kind=InquiryKind.DIAGNOSE)
    eventually(lambda: stand.text(first) == "of a\n" and stand.text(second) == "of b\n" and stand.ended(third))


def test_an_inquiry_of_a_newer_control_plane_is_not_read_as_something_else():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"kind": "shell"}', type=InquiryRequest)


def picture(name: str) -> LivePicture:
    return LivePicture(
        jpeg=b"jpeg",
        source="cam",
        image=name,
        captured_at="",
        width=4,
        height=3,
        model="tags",
        version=1,
        latency_ms=1.0,
    )


def test_pictures_come_as_long_as_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest a second at most; nothing while there is no new one."""
    monkeypatch.setattr(module, "TICK", 0.01)
    monkeypatch.setattr(module, "PICTURE_SECONDS", 0.05)
    stand = Stand()
    stand.device.pictures = [None, picture("1"), None, picture("2")]
    asked = stand.ask(kind=InquiryKind.PICTURE, component="tags.inference", follow=True)
    eventually(lambda: len(stand.plane.answers.get(asked, [])) == 3)
    alive, *seen = stand.plane.answers[asked]
    assert alive.picture is None
    assert [part.picture.image for part in seen if part.picture] == ["1", "2"]
    assert not any(part.done for part in seen)
    del stand.plane.questions[asked]
    stand.stop.set()
    stand.inquiries.join()


def test_one_picture_is_enough_when_no_more_are_wanted() -> None:
    stand = Stand()
    stand.device.pictures = [picture("1"), picture("2")]
    asked = stand.ask(kind=InquiryKind.PICTURE, component="tags.inference")
    eventually(lambda: stand.plane.answers.get(asked, []) and stand.plane.answers[asked][-1].done)
    assert [part.picture.image for part in stand.plane.answers[asked] if part.picture] == ["1"]
    broken = stand.ask("inquiry-2", kind=InquiryKind.PICTURE)
    eventually(lambda: stand.plane.answers.get(broken, []) and stand.plane.answers[broken][-1].done)
    error = stand.plane.answers[broken][-1].error
    assert error is not None
    assert error.code == "inquiry.no_picture"
