"""Device and control plane of different ages: a capture is lost by neither, and stored only where it was read.

Real: the agent's captures, HTTP, the control plane's tickets and store. Made up: version 2 of the schema, and a control
plane from before versions were agreed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from lineside.agent.health.conditions import Conditions
from lineside.agent.link.uploads import Captures
from lineside.agent.ports import Content
from lineside.agent.supervision.processes import StopSignal
from lineside.agent.testing import FakeControlPlane
from lineside.client import Client
from lineside.contract.capture import CaptureRecord, Ticket
from lineside.contract.errors import ErrorReport, LinesideError, RemoteError
from lineside.contract.schema_versions import CAPTURES, Schema, heard
from lineside.server.captures.service import CapturesService
from lineside.server.devices import checkin
from lineside.server.testing import Running, running
from lineside.server.testing_device import TestDevice
from tests.agent.captures import kept
from tests.schema_versions import LATER_CAPTURES as LATER
from tests.schema_versions import NEW_CAPTURES as NEW
from tests.schema_versions import OLD_CAPTURES as OLD

DEVICE = "cell-1"


class _Refusal(msgspec.Struct):
    error: ErrorReport


class Wire(FakeControlPlane):
    """A control plane as an agent of this device hears it. `before`: it is of a release before versions were said."""

    def __init__(self, camera: TestDevice) -> None:
        super().__init__()
        self.before = False
        self.taken: tuple[int, ...] | None = None
        self.sent: list[int | None] = []
        self._camera = camera

    def look(self) -> None:
        """A check-in."""
        said = self._camera.get("/desired").headers
        self.taken = heard("" if self.before else said.get(CAPTURES.header, ""))

    def captures_taken(self) -> tuple[int, ...] | None:
        return self.taken

    def ticket(self, record: bytes) -> Ticket:
        self.sent.append(CAPTURES.version_of(record))
        if self.before and self.sent[-1] != 1:
            why = "'lineside.capture/2' is not lineside.capture/1"
            raise RemoteError(LinesideError("request.invalid", why=why).report(), 400)
        return msgspec.json.decode(_checked(self._camera.request("POST", "/captures", content=record)), type=Ticket)

    def upload(self, ticket: Ticket, data: bytes | Content) -> None:
        body = data if isinstance(data, bytes) else b"".join(data)
        _checked(self._camera.request("PUT", ticket.url.removeprefix("/device/v1"), content=body))


def _checked(answer: httpx.Response) -> bytes:
    if answer.status_code >= 400:
        raise RemoteError(msgspec.json.decode(answer.content, type=_Refusal).error, answer.status_code)
    return answer.content


class Meeting:
    """A device, with what it has kept, and a control plane whose release changes."""

    def __init__(self, folder: Path, lineside: Running, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.conditions = folder / "captures", Conditions()
        self.wire = Wire(TestDevice.join(lineside, DEVICE))
        self._lineside, self._patch = lineside, patch
        service = lineside.apps.services["captures"]
        assert isinstance(service, CapturesService)
        self._service = service

    def control_plane(self, schema: Schema[CaptureRecord], *, before: bool = False) -> None:
        """It is upgraded, or goes back; devices hear of it when they ask next."""
        self._patch.setattr(checkin, "CAPTURES", schema)
        self._service._schema = schema
        self.wire.before = before

    def keep(self, schema: Schema[CaptureRecord], *names: str) -> list[CaptureRecord]:
        """Images that a runtime has kept, in the newest version that it knows."""
        write = schema.forms[max(schema.forms)].write
        return [kept(self.folder, name, name.encode(), write=write) for name in names]

    def agent(self, schema: Schema[CaptureRecord]) -> Captures:
        """It starts."""
        return Captures(self.folder, self.wire, StopSignal(), conditions=self.conditions, schema=schema)

    def waiting(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def arrived(self, *wanted: CaptureRecord) -> None:
        """Each once, read as what it was; nothing is left on the device."""
        client = Client(self._lineside.people_url)
        found = {one.record.id: one.record for one in client.captures().captures}
        assert found == {one.id: one for one in wanted}
        assert [client.get_blob(one.digest) for one in wanted] == [one.id.encode() for one in wanted]
        assert (self.waiting(), self.conditions.current()) == ([], ())


@pytest.fixture
def meeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meeting]:
    with running(tmp_path / "control-plane") as lineside:
        yield Meeting(tmp_path, lineside, monkeypatch)


@pytest.mark.parametrize(
    ("runtime", "agent", "control_plane", "before", "sent"),
    [
        (OLD, OLD, OLD, True, 1),
        (NEW, NEW, OLD, True, 1),  # a new device, a control plane that says nothing
        (NEW, NEW, OLD, False, 1),
        (OLD, NEW, NEW, False, 1),
        (OLD, OLD, NEW, False, 1),  # a device that was off for a month
        (NEW, NEW, NEW, False, 2),
        (NEW, OLD, NEW, False, 2),  # the agent passes on what the runtime beside it wrote
        (OLD, NEW, LATER, False, 2),  # kept before the device was upgraded
    ],
)
def test_what_both_know_arrives_once(
    meeting: Meeting,
    runtime: Schema[CaptureRecord],
    agent: Schema[CaptureRecord],
    control_plane: Schema[CaptureRecord],
    before: bool,
    sent: int,
) -> None:
    meeting.control_plane(control_plane, before=before)
    records = meeting.keep(runtime, "a", "b")
    captures = meeting.agent(agent)
    assert captures.send() == 0  # it has not asked yet
    assert meeting.wire.sent == []
    meeting.wire.look()
    assert captures.send() == 2
    assert meeting.wire.sent == [sent, sent]
    meeting.arrived(*records)


@pytest.mark.parametrize(
    ("device", "first", "words"),
    [(OLD, LATER, "takes version 2 of their schema, one is in version 1"), (LATER, OLD, "takes version 1 of their")],
    ids=["an old device", "an old control plane"],
)
def test_with_none_in_common_captures_wait_and_the_device_says_why(
    meeting: Meeting, device: Schema[CaptureRecord], first: Schema[CaptureRecord], words: str
) -> None:
    meeting.control_plane(first)
    records = meeting.keep(device, "a", "b")
    meeting.wire.look()
    for _ in range(2):  # they wait over the agent's restarts, and however often it looks
        captures = meeting.agent(device)
        assert captures.send() + captures.send() == 0
    assert meeting.waiting() == ["a.bin", "a.json", "b.bin", "b.json"]
    (condition,) = meeting.conditions.current()
    assert condition.code == "capture.no_common_version"
    assert words in condition.message
    assert condition.next.endswith("lineside devices show NAME")
    assert meeting.wire.sent == []
    meeting.control_plane(NEW)
    meeting.wire.look()
    assert captures.send() == 2
    meeting.arrived(*records)


@pytest.mark.parametrize("before", [False, True])
def test_a_control_plane_that_went_back_since_it_was_asked_takes_no_capture_and_loses_none(
    meeting: Meeting, before: bool
) -> None:
    meeting.control_plane(NEW)
    records = meeting.keep(NEW, "a", "b")
    meeting.wire.look()
    meeting.control_plane(OLD, before=before)
    assert meeting.agent(NEW).send() == 0
    assert meeting.waiting() == ["a.bin", "a.json", "b.bin", "b.json"]
    meeting.wire.look()
    assert meeting.agent(NEW).send() == 2
    assert meeting.wire.sent == [2, 2, 1, 1]
    meeting.arrived(*records)


def test_one_that_has_forgotten_a_version_since_loses_none(meeting: Meeting) -> None:
    records = meeting.keep(OLD, "a")
    meeting.wire.look()
    meeting.control_plane(LATER)
    assert meeting.agent(OLD).send() == 0
    assert meeting.waiting() == ["a.bin", "a.json"]
    meeting.control_plane(NEW)
    assert meeting.agent(OLD).send() == 1
    meeting.arrived(*records)


def test_one_that_nobody_reads_yet_holds_up_no_other(meeting: Meeting) -> None:
    meeting.keep(LATER, "a")
    (other,) = meeting.keep(OLD, "b")
    meeting.wire.look()
    captures = meeting.agent(OLD)
    assert captures.send() == 1
    assert meeting.waiting() == ["a.bin", "a.json"]
    assert meeting.conditions.holds("capture.no_common_version")
    assert [one.record for one in Client(meeting._lineside.people_url).captures().captures] == [other]
    for path in meeting.folder.iterdir():  # the store has thinned it
        path.unlink()
    captures.send()
    assert meeting.conditions.current() == ()


def test_a_record_that_makes_no_sense_is_not_waited_for(meeting: Meeting) -> None:
    meeting.wire.look()
    (meeting.folder).mkdir()
    for name, text in (("a", b'{"schema":"lineside.capture/1","id":"a"}'), ("b", b"{"), ("c", b'{"schema":"other/1"}')):
        (meeting.folder / f"{name}.json").write_bytes(text)
        (meeting.folder / f"{name}.bin").write_bytes(b"image")
    assert meeting.agent(OLD).send() == 3
    assert meeting.waiting() == []
