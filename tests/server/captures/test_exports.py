"""Exports: announced, uploaded once by a ticket that can do nothing else, listed by device."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from lineside.client import Client
from lineside.contract.capture import Ticket
from lineside.contract.errors import LinesideError
from lineside.contract.export import ExportRecord
from lineside.contract.ids import digest_of
from lineside.server.captures.exports import ExportsService
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running, make_core
from lineside.server.testing_device import TestDevice

DATA = b"a,b\n1,2\n"


def record(device: str = "cam-1", data: bytes = DATA, **fields: Any) -> ExportRecord:
    values = {
        "id": "e1",
        "device": device,
        "bucket": "line-7",
        "key": "../../2026/batch.csv",
        "metadata": {"shift": "night"},
        "stream": "batches, all",
        "sequence": 3,
        "digest": digest_of(data),
        "size": len(data),
        "claimed_at": "2026-01-01T00:00:00.000Z",
    }
    return ExportRecord(**values | fields)


@pytest.fixture
def exports(core: Core) -> ExportsService:
    return ExportsService(core)


def refused(code: str) -> Any:
    return pytest.raises(LinesideError, match=f"^{code}:")


def test_a_ticket_takes_one_file_once(exports: ExportsService) -> None:
    ticket = exports.announce("cam-1", record())
    assert (ticket.digest, ticket.max_bytes, ticket.uploaded) == (digest_of(DATA), len(DATA), False)
    assert exports.announce("cam-1", record()) == ticket
    assert exports.page("cam-1", 0, 10).total == 0
    exports.upload("cam-1", ticket.id, [DATA[:4], DATA[4:]])
    assert [one.record for one in exports.page("cam-1", 0, 10).exports] == [record()]
    assert exports.page("cam-2", 0, 10).total == 0
    with refused("ticket.used"):
        exports.upload("cam-1", ticket.id, [DATA])
    assert exports.announce("cam-1", record()).uploaded


def test_a_file_that_is_there_need_not_be_sent(exports: ExportsService, core: Core) -> None:
    core.objects.put(DATA)
    assert exports.announce("cam-1", record()).uploaded
    assert exports.announce("cam-1", record(id="e2", key="other")).uploaded
    assert exports.page("cam-1", 0, 10).total == 2


def test_an_empty_file_is_a_file(exports: ExportsService) -> None:
    ticket = exports.announce("cam-1", record(data=b""))
    exports.upload("cam-1", ticket.id, [])
    assert exports.page("cam-1", 0, 10).total == 1


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([DATA, b"x"], "ticket.wrong_size"),
        ([DATA[:-1]], "ticket.wrong_size"),
        ([b"y" + DATA[1:]], "blob.digest_mismatch"),
    ],
)
def test_other_bytes_are_refused_and_the_ticket_stays_good(
    exports: ExportsService, core: Core, sent: list[bytes], code: str
) -> None:
    ticket = exports.announce("cam-1", record())
    with refused(code):
        exports.upload("cam-1", ticket.id, sent)
    assert not core.objects.exists(digest_of(b"".join(sent)))
    exports.upload("cam-1", ticket.id, [DATA])


def test_a_ticket_expires_and_belongs_to_one_device(exports: ExportsService, clock: FakeClock) -> None:
    ticket = exports.announce("cam-1", record())
    for caller, id_ in (("cam-2", ticket.id), ("cam-1", "guessed")):
        with refused("ticket.unknown"):
            exports.upload(caller, id_, [DATA])
    clock.advance(901)
    with refused("ticket.expired"):
        exports.upload("cam-1", ticket.id, [DATA])
    fresh = exports.announce("cam-1", record())
    assert fresh.id != ticket.id
    exports.upload("cam-1", fresh.id, [DATA])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "../x"}, "request.invalid"),
        ({"digest": "sha256:0"}, "request.invalid"),
        ({"size": -1}, "request.invalid"),
        ({"key": "k" * 1025}, "request.invalid"),
        ({"metadata": {"a": "b" * 3000}}, "request.invalid"),
        ({"schema": "lineside.export/9"}, "request.invalid"),
        ({"size": 257 << 20}, "export.too_large"),
        ({"device": "cam-2"}, "auth.not_yours"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(exports: ExportsService, fields: Any, code: str) -> None:
    with refused(code):
        exports.announce("cam-1", record(**fields))


def test_an_id_belongs_to_one_file_of_one_device(exports: ExportsService) -> None:
    exports.announce("cam-1", record())
    with refused("export.id_taken"):
        exports.announce("cam-1", record(data=b"another"))
    with refused("export.id_taken"):
        exports.announce("cam-2", record("cam-2"))


def test_the_budget_of_a_day(tmp_path: Any, clock: FakeClock) -> None:
    core = make_core(tmp_path / "small", clock, exports_per_day=1)
    exports = ExportsService(core)
    exports.announce("cam-1", record())
    with refused("export.budget_spent"):
        exports.announce("cam-1", record(id="e2"))
    exports.announce("cam-1", record())  # not a new one
    clock.advance(24 * 3600 + 1)
    exports.announce("cam-1", record(id="e2"))
    core.database.close()


def test_the_whole_way_over_http(lineside: Running) -> None:
    camera, other = TestDevice.join(lineside, "cam-1"), TestDevice.join(lineside, "cam-2")
    answer = camera.post("/exports", record())
    ticket = msgspec.json.decode(answer.content, type=Ticket)
    path = ticket.url.removeprefix("/device/v1")
    assert other.request("PUT", path, content=DATA).json()["error"]["code"] == "ticket.unknown"
    assert httpx.put(lineside.device_url + ticket.url, content=DATA).status_code == 401
    assert camera.request("PUT", path, content=DATA).status_code == 204
    assert camera.request("PUT", path, content=DATA).json()["error"]["code"] == "ticket.used"
    page = Client(lineside.people_url).device_exports("cam-1")
    assert [one.record for one in page.exports] == [record()]
    assert httpx.get(f"{lineside.people_url}/api/v1/blobs/{ticket.digest}").content == DATA
