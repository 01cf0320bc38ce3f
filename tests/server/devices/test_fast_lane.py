"""The fast lane answers as the framework behind it does, word for word, and looks everything up each time."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from lineside.contract.inquiry import InquiryKind, InquiryRequest
from lineside.contract.reported import Phase, Report, ReportsRequest
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.lane import FastLane
from lineside.server.devices.store import DeviceRow
from lineside.server.testing import FakeClock, Running
from lineside.server.testing_device import TestDevice
from tests.server.devices.test_desired import A, wanted

URL = "/device/v1"
JSON = {"content-type": "application/json"}
NO_JWT = b'{"client_assertion": "a.b.c"}'


class Both:
    """Sends a request through the lane and past it; how often the lane gave it on."""

    def __init__(self, lineside: Running) -> None:
        door = lineside.apps.door
        assert isinstance(door, FastLane)
        self.given_on = 0
        plain: Any = door.app

        async def counting(scope: Any, receive: Any, send: Any) -> None:
            self.given_on += 1
            await plain(scope, receive, send)

        lane = FastLane(counting, lineside.apps.services["checkins"], 10_000)
        self._clients = [httpx.ASGITransport(app) for app in (lane, plain)]

    def __call__(self, method: str, path: str, **options: Any) -> tuple[httpx.Response, bool]:
        """The lane's answer, which is the framework's too, and whether the lane gave it itself."""
        return asyncio.run(self._ask(method, path, options))

    async def _ask(self, method: str, path: str, options: dict[str, Any]) -> tuple[httpx.Response, bool]:
        before, answers = self.given_on, []
        for transport in self._clients:
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                answers.append(await client.request(method, URL + path, **options))
        lane, plain = answers
        assert (lane.status_code, lane.content) == (plain.status_code, plain.content)
        assert _telling(lane) == _telling(plain)
        return lane, self.given_on == before


def _telling(answer: httpx.Response) -> dict[str, str]:
    """Headers that say something; an empty body's length and type are said or not."""
    quiet = {"date", "server"} | (set() if answer.content else {"content-length", "content-type"})
    return {name: value for name, value in answer.headers.items() if name not in quiet}


@pytest.fixture
def both(lineside: Running) -> Both:
    return Both(lineside)


def bearer(device: TestDevice, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {device.token()}", **more}


def body(device: str, sequence: int = 1, **fields: Any) -> bytes:
    report = Report(
        device=device, sequence=sequence, at="2026-01-01T00:00:00.000Z", revision=0, phase=Phase.IDLE, **fields
    )
    return msgspec.json.encode(ReportsRequest(reports=(report,)))


def test_what_is_usual_never_reaches_the_framework(lineside: Running, both: Both) -> None:
    device = TestDevice.join(lineside, "cam-1")
    with lineside.core.database.write() as session:
        DesiredDocuments(lineside.core).set_many(session, ["cam-1"], [wanted()], "d-1")
    whole, fast = both("GET", "/desired", headers=bearer(device))
    assert (whole.status_code, whole.json()["components"][0]["recipe_digest"], fast) == (200, A, True)
    tags = f'"r0-00000000", {whole.headers["etag"]}'
    same, fast = both("GET", "/desired", headers=bearer(device, **{"If-None-Match": tags}))
    assert (same.status_code, same.content, fast) == (304, b"", True)
    other, fast = both("GET", "/desired", headers=bearer(device, **{"If-None-Match": '"r0-00000000"'}))
    assert (other.status_code, fast) == (200, True)
    told, fast = both("POST", "/reports", headers=bearer(device) | JSON, content=body("cam-1"))
    assert (told.json(), fast) == ({"accepted": 1}, True)


def test_refusals_are_the_frameworks(lineside: Running, both: Both, clock: FakeClock) -> None:
    device = TestDevice.join(lineside, "cam-1")
    mine = bearer(device)
    cases: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/desired", {}, 401, "auth.token_missing"),
        ("GET", "/desired", {"headers": {"Authorization": "Basic YQ=="}}, 401, "auth.token_missing"),
        ("GET", "/desired", {"headers": {"Authorization": "Bearer nonsense"}}, 401, "auth.token_invalid"),
        ("PUT", "/desired", {"headers": mine}, 405, "request.wrong_method"),
        ("POST", "/reports", {"content": body("cam-1"), "headers": JSON}, 401, "auth.token_missing"),
        ("POST", "/reports", {"content": body("cam-2"), "headers": mine | JSON}, 403, "auth.not_yours"),
        ("POST", "/reports", {"content": b'{"reports": []}', "headers": mine | JSON}, 400, "request.invalid"),
        ("POST", "/reports", {"content": b'{"reports": [{}]}', "headers": mine | JSON}, 400, "request.invalid"),
        ("POST", "/reports", {"content": b"\xff{", "headers": mine | JSON}, 400, "request.invalid"),
        ("POST", "/reports", {"content": b"[" * 5000, "headers": mine | JSON}, 400, "request.invalid"),
        ("POST", "/token", {"content": NO_JWT, "headers": JSON}, 401, "auth.assertion_invalid"),
        ("POST", "/token", {"content": b"{}", "headers": JSON}, 400, "request.invalid"),
    ]  # fmt: skip
    for method, path, options, status, code in cases:
        answer, _ = both(method, path, **options)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (method, path, options)
    clock.advance(601)
    answer, _ = both("GET", "/desired", headers=mine)
    assert answer.json()["error"]["code"] == "auth.token_expired"


def test_a_body_that_is_too_long_or_not_json_is_given_on(lineside: Running, both: Both) -> None:
    device = TestDevice.join(lineside, "cam-1")
    long = body("cam-1", facts={"x": "y" * 20_000})
    assert both("POST", "/reports", headers=bearer(device) | JSON, content=long)[1] is False

    async def pieces() -> Any:
        yield body("cam-1", 2)

    async def chunked() -> httpx.Response:
        transport = httpx.ASGITransport(lineside.apps.door)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.post(f"{URL}/reports", content=pieces(), headers=bearer(device) | JSON)

    assert asyncio.run(chunked()).json() == {"accepted": 2}


def test_the_state_of_a_device_counts_at_once(lineside: Running, both: Both) -> None:
    """Whoever changed it: this control plane's people, or another control plane on the same database."""
    device = TestDevice.join(lineside, "cam-1")

    def become(state: str) -> None:
        with lineside.core.database.write() as session:
            session.get_one(DeviceRow, "cam-1").state = state

    assert both("GET", "/desired", headers=bearer(device))[1] is True
    become("quarantined")
    assert both("GET", "/desired", headers=bearer(device))[0].status_code == 200
    become("revoked")
    for method, path, content in (("GET", "/desired", b""), ("POST", "/reports", body("cam-1"))):
        answer, fast = both(method, path, headers=bearer(device) | JSON, content=content)
        assert (answer.json()["error"]["code"], fast) == ("auth.device_revoked", False)
    become("accepted")
    assert both("GET", "/desired", headers=bearer(device))[1] is True


def test_people_who_ask_are_told_of(lineside: Running, both: Both, clock: FakeClock) -> None:
    device = TestDevice.join(lineside, "cam-1")
    inquiries = lineside.apps.services["inquiries"]
    assert "lineside-asked" not in both("GET", "/desired", headers=bearer(device))[0].headers
    inquiries.ask("cam-1", InquiryRequest(kind=InquiryKind.LOGS))
    assert both("GET", "/desired", headers=bearer(device))[0].headers["lineside-asked"] == "1"
