"""Captures: announced, uploaded once by a ticket that can do nothing else, shown to people."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec
import pytest

from lineside.client import Client
from lineside.contract.capture import CaptureFilter, CaptureRecord, Ticket
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.captures.service import CapturesService
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running, make_core
from lineside.server.testing_device import TestDevice
from tests.runtime.results import result
from tests.schema_versions import LATER_CAPTURES, NEW_CAPTURES, write, write_capture

IMAGE = b"\xff\xd8 an image"
LATER_RESULT = msgspec.json.decode(write(result("a.png")))


def record(device: str = "cam-1", data: bytes = IMAGE, **fields: Any) -> CaptureRecord:
    values = {
        "id": "c1",
        "device": device,
        "digest": digest_of(data),
        "size": len(data),
        "content_type": "image/jpeg",
        "strategy": "random",
        "reason": "One of 20 images, by chance.",
        "captured_at": "2026-01-01T00:00:00.000Z",
    }
    return CaptureRecord(**values | fields)


@pytest.fixture
def captures(core: Core) -> CapturesService:
    return CapturesService(core)


def refused(code: str) -> Any:
    return pytest.raises(LinesideError, match=f"^{code}:")


def test_a_ticket_takes_one_image_once(captures: CapturesService) -> None:
    ticket = captures.announce("cam-1", record())
    assert (ticket.digest, ticket.max_bytes, ticket.uploaded) == (digest_of(IMAGE), len(IMAGE), False)
    assert captures.page(CaptureFilter(), 0, 10).total == 0
    captures.upload("cam-1", ticket.id, [IMAGE[:4], IMAGE[4:]])
    page = captures.page(CaptureFilter(), 0, 10)
    assert (page.total, page.captures[0].record) == (1, record())
    with refused("ticket.used"):
        captures.upload("cam-1", ticket.id, [IMAGE])


def test_announcing_again_gives_the_same_ticket_and_after_the_upload_says_so(captures: CapturesService) -> None:
    ticket = captures.announce("cam-1", record())
    assert captures.announce("cam-1", record()) == ticket
    captures.upload("cam-1", ticket.id, [IMAGE])
    assert captures.announce("cam-1", record()).uploaded


def test_an_image_that_is_there_need_not_be_sent(captures: CapturesService, core: Core) -> None:
    core.objects.put(IMAGE)
    assert captures.announce("cam-1", record()).uploaded
    assert captures.page(CaptureFilter(), 0, 10).total == 1


def test_a_power_cut_between_image_and_row_is_made_good(captures: CapturesService, core: Core) -> None:
    captures.announce("cam-1", record())
    core.objects.put(IMAGE)  # what upload() does before its transaction
    assert captures.announce("cam-1", record()).uploaded
    assert captures.get("c1").uploaded_at is not None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([IMAGE, b"x"], "ticket.wrong_size"),
        ([IMAGE[:-1]], "ticket.wrong_size"),
        ([], "ticket.wrong_size"),
        ([b"y" + IMAGE[1:]], "blob.digest_mismatch"),
    ],
)
def test_other_bytes_are_refused_and_the_ticket_stays_good(
    captures: CapturesService, core: Core, sent: list[bytes], code: str
) -> None:
    ticket = captures.announce("cam-1", record())
    with refused(code):
        captures.upload("cam-1", ticket.id, sent)
    assert not core.objects.exists(digest_of(IMAGE))
    assert not core.objects.exists(digest_of(b"".join(sent)))
    captures.upload("cam-1", ticket.id, [IMAGE])


def test_a_ticket_expires_and_a_new_one_is_given(captures: CapturesService, clock: FakeClock) -> None:
    ticket = captures.announce("cam-1", record())
    clock.advance(901)
    with refused("ticket.expired"):
        captures.upload("cam-1", ticket.id, [IMAGE])
    fresh = captures.announce("cam-1", record())
    assert fresh.id != ticket.id
    captures.upload("cam-1", fresh.id, [IMAGE])


def test_another_device_has_no_use_for_a_ticket(captures: CapturesService) -> None:
    ticket = captures.announce("cam-1", record())
    for caller, id_ in (("cam-2", ticket.id), ("cam-1", "guessed")):
        with refused("ticket.unknown"):
            captures.upload(caller, id_, [IMAGE])


def test_an_id_belongs_to_one_image_of_one_device(captures: CapturesService) -> None:
    captures.announce("cam-1", record())
    with refused("capture.id_taken"):
        captures.announce("cam-1", record(data=b"another"))
    with refused("capture.id_taken"):
        captures.announce("cam-2", record("cam-2"))
    with refused("auth.not_yours"):
        captures.announce("cam-2", record("cam-1"))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "../x"}, "capture.invalid"),
        ({"digest": "sha256:0"}, "capture.invalid"),
        ({"size": 0}, "capture.invalid"),
        ({"size": -1}, "capture.invalid"),
        ({"content_type": "text/html"}, "capture.invalid"),
        ({"strategy": ""}, "capture.invalid"),
        ({"size": 33 << 20}, "capture.too_large"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(captures: CapturesService, fields: Any, code: str) -> None:
    with refused(code):
        captures.announce("cam-1", record(**fields))


def test_the_budget_of_a_day(tmp_path: Any, clock: FakeClock) -> None:
    core = make_core(tmp_path / "small", clock, captures_per_day=2)
    captures = CapturesService(core)
    for n in range(2):
        captures.announce("cam-1", record(id=f"c{n}"))
    with refused("capture.budget_spent"):
        captures.announce("cam-1", record(id="c2"))
    captures.announce("cam-1", record(id="c1"))  # not a new one
    captures.announce("cam-2", record("cam-2", id="other"))  # each has its own
    clock.advance(24 * 3600 + 1)
    captures.announce("cam-1", record(id="c2"))
    core.database.close()


def test_people_filter_and_page(captures: CapturesService, clock: FakeClock) -> None:
    for n in range(6):
        data, strategy = IMAGE + bytes([n]), ("random", "uncertain")[n % 2]
        device = f"cam-{n // 3}"
        ticket = captures.announce(device, record(device, data, id=f"c{n}", strategy=strategy))
        captures.upload(device, ticket.id, [data])
        clock.advance(1)
    assert [one.record.id for one in captures.page(CaptureFilter(), 0, 2).captures] == ["c5", "c4"]
    page = captures.page(CaptureFilter(device="cam-1", strategy="uncertain"), 0, 10)
    assert ([one.record.id for one in page.captures], page.total) == (["c5", "c3"], 2)
    with refused("request.not_found"):
        captures.get("c9")


def test_the_whole_way_over_http(lineside: Running) -> None:
    camera, other = TestDevice.join(lineside, "cam-1"), TestDevice.join(lineside, "cam-2")
    big = b"\xff\xd8" + bytes(3 << 20)
    answer = camera.post("/captures", record(data=big))
    ticket = msgspec.json.decode(answer.content, type=Ticket)
    path = ticket.url.removeprefix("/device/v1")
    assert other.request("PUT", path, content=big).json()["error"]["code"] == "ticket.unknown"
    assert httpx.put(lineside.device_url + ticket.url, content=big).status_code == 401
    assert camera.request("PUT", path, content=big[:-1]).json()["error"]["code"] == "ticket.wrong_size"
    assert camera.request("PUT", path, content=big).status_code == 204
    assert camera.request("PUT", path, content=big).json()["error"]["code"] == "ticket.used"
    assert camera.get(path).status_code in (404, 400, 405)  # it can only write
    client = Client(lineside.people_url)
    assert client.captures().total == 1
    assert client.captures(device="cam-2").total == 0
    assert client.capture("c1").record == record(data=big)
    assert httpx.get(f"{lineside.people_url}/api/v1/blobs/{ticket.digest}").content == big


def test_a_capture_of_a_device_without_the_data_fails_to_verify(lineside: Running) -> None:
    camera = TestDevice.join(lineside, "cam-1")
    assert camera.post("/captures", record("cam-9")).json()["error"]["code"] == "auth.not_yours"
    assert camera.post("/captures", {"id": 1}).json()["error"]["code"] == "capture.invalid"


def test_a_newer_control_plane_reads_both_versions_and_stores_the_same(core: Core) -> None:
    newer = CapturesService(core, schema=NEW_CAPTURES)
    made = record(result=result("a.png"))
    for payload in (msgspec.json.encode(made), write_capture(made)):
        newer.announce("cam-1", newer.read("cam-1", payload))
        assert newer.get("c1").record == made


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (write_capture(record()), "capture.version_unread", "in version 2 of the capture schema.*reads 1"),
        (b'{"schema":"lineside.result/1"}', "capture.invalid", "says no version of the capture schema"),
        (b'{"schema":"lineside.capture/1","id":"c1"}', "capture.invalid", "missing required field"),
        (b"{", "capture.invalid", "says no version"),
        (
            msgspec.json.encode(msgspec.to_builtins(record()) | {"result": LATER_RESULT}),
            "capture.invalid",
            "its result is 'lineside.result/2'",
        ),
    ],
)
def test_nothing_is_stored_that_is_not_read(lineside: Running, payload: bytes, code: str, words: str) -> None:
    camera = TestDevice.join(lineside, "cam-1")
    answer = camera.request("POST", "/captures", content=payload)
    error = answer.json()["error"]
    assert error["code"] == code
    assert re.search(words, error["message"])
    assert error["next"].endswith("lineside devices show cam-1")
    with refused("request.not_found"):
        Client(lineside.people_url).capture("c1")


def test_one_that_has_forgotten_the_first_version_refuses_it(core: Core) -> None:
    with refused("capture.version_unread"):
        CapturesService(core, schema=LATER_CAPTURES).read("cam-1", msgspec.json.encode(record()))
