"""Who asks is found out for every request of people's API and pages, and a route opens only to who may use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar, get, post

from lineside.contract.people import Permission, Role
from lineside.server.access.caller import SYSTEM, Caller, current
from lineside.server.access.guard import all_decided
from lineside.server.access.permissions import PUBLIC, needs
from lineside.server.access.testing import Listed
from lineside.server.devices.room import room as devices
from lineside.server.services import Core, Room
from lineside.server.testing import Running, running


@get("/ask", sync_to_thread=True)
def ask() -> dict[str, str]:
    """Who the handler, in its thread, takes the caller for."""
    return {"name": current().name, "by": current().by, "source": current().source}


@post("/approve", sync_to_thread=True, opt=needs(Permission.APPROVE), status_code=200)
def approve() -> dict[str, str]:
    return {"name": current().name}


@post("/either", opt=needs(Permission.APPROVE, Permission.WORK), status_code=200)
async def either() -> dict[str, str]:
    return {"name": current().name}


@get("/everybody", sync_to_thread=True, opt=PUBLIC)
def everybody() -> dict[str, str]:
    return {"name": current().name, "by": current().by}


@get("/device-asks", sync_to_thread=True, opt={"public": True})
def device_asks() -> dict[str, str]:
    return {"name": current().name, "by": current().by}


def asking(core: Core) -> Room:
    return Room(people=[ask, approve, either, everybody], devices=[device_asks])


CALLERS = {
    "viewer": Caller(name="vera", by="token", permissions=frozenset({Permission.READ}), roles=(Role.VIEWER,)),
    "worker": Caller(name="worker", by="worker", permissions=frozenset({Permission.READ, Permission.WORK})),
}


@pytest.fixture(scope="module")
def lineside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all: no test here changes anything."""
    with running(tmp_path_factory.mktemp("lineside"), None, (devices, asking), doorkeeper=Listed(CALLERS)) as up:
        yield up


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_handler_knows_its_caller_by_token(lineside: Running) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/ask", headers=bearer("viewer"))
    assert answer.json() == {"name": "vera", "by": "token", "source": "127.0.0.1"}


def test_a_handler_knows_its_caller_by_cookie(lineside: Running) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/ask", headers={"Cookie": "other=1; lineside_session=viewer"})
    assert answer.json()["name"] == "vera"


def test_with_a_token_the_cookie_counts_for_nothing(lineside: Running) -> None:
    headers = {"Cookie": "lineside_session=viewer"} | bearer("unknown")
    answer = httpx.get(f"{lineside.people_url}/api/v1/ask", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "auth.credential_refused")


def test_a_claimed_address_is_not_believed(lineside: Running) -> None:
    headers = bearer("viewer") | {"X-Forwarded-For": "10.9.8.7", "Forwarded": "for=10.9.8.7"}
    assert httpx.get(f"{lineside.people_url}/api/v1/ask", headers=headers).json()["source"] == "127.0.0.1"


@pytest.mark.parametrize("headers", [{}, {"Cookie": "lineside_session=unknown"}, {"Cookie": "lineside_session="}])
def test_a_stranger_is_asked_to_sign_in(lineside: Running, headers: dict[str, str]) -> None:
    for method, path in (("GET", "ask"), ("POST", "approve")):
        answer = httpx.request(method, f"{lineside.people_url}/api/v1/{path}", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "auth.login_needed")
        assert answer.json()["error"]["next"]


@pytest.mark.parametrize("value", ["Bearer", "Basic dmlld2VyOg==", "viewer", ""])
def test_what_is_no_bearer_token_is_refused(lineside: Running, value: str) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/ask", headers={"Authorization": value})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "auth.credential_refused")


def test_who_lacks_the_permission_is_told_which(lineside: Running) -> None:
    answer = httpx.post(f"{lineside.people_url}/api/v1/approve", headers=bearer("viewer"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "auth.forbidden")
    assert answer.json()["error"]["params"] == {"who": "vera", "permission": "approve"}


def test_one_of_several_permissions_is_enough(lineside: Running) -> None:
    assert httpx.post(f"{lineside.people_url}/api/v1/either", headers=bearer("worker")).json() == {"name": "worker"}
    assert httpx.post(f"{lineside.people_url}/api/v1/either", headers=bearer("viewer")).status_code == 403


def test_a_public_route_is_open_and_a_stranger_is_nobody(lineside: Running) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/everybody")
    assert answer.json() == {"name": "somebody", "by": "nobody"}
    assert httpx.get(f"{lineside.people_url}/api/v1/everybody", headers=bearer("viewer")).json()["name"] == "vera"


def test_a_stranger_at_the_devices_api_is_not_the_control_plane(lineside: Running) -> None:
    assert httpx.get(f"{lineside.device_url}/device/v1/device-asks").json() == {"name": "somebody", "by": "nobody"}
    assert current() is SYSTEM


def test_the_reference_of_the_api_is_for_who_may_read(lineside: Running) -> None:
    assert httpx.get(f"{lineside.people_url}/schema/openapi.json").status_code == 401
    assert httpx.get(f"{lineside.people_url}/schema/openapi.json", headers=bearer("viewer")).status_code == 200


@post("/new")
async def undecided() -> None: ...


def test_a_new_route_that_changes_something_and_says_nothing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="POST /new"):
        all_decided(Litestar([undecided, ask]))
    with (
        pytest.raises(ValueError, match="POST /api/v1/new"),
        running(tmp_path, None, (lambda core: Room(people=[undecided]),)),
    ):
        pass
