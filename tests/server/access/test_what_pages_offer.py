"""A page offers nobody what they may not do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from lineside.contract.device import JoinRequest
from lineside.contract.people import Role
from lineside.server.testing_device import make_csr, make_key
from tests.server.access.people import House, house


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("here"), full=True) as opened:
        body = msgspec.json.encode(JoinRequest(name="cam-1", csr=make_csr(make_key(), "cam-1")))
        assert httpx.post(f"{opened.up.device_url}/device/v1/join", content=body).status_code == 200
        yield opened


@pytest.mark.parametrize(
    ("role", "path", "offered"),
    [
        (Role.VIEWER, "/joining", False),
        (Role.OPERATOR, "/joining", True),
        (Role.VIEWER, "/devices/cam-1", False),
        (Role.OPERATOR, "/devices/cam-1", True),
        (Role.OPERATOR, "/secrets", False),
        (Role.ADMIN, "/secrets", True),
    ],
)
def test_only_who_may_send_a_form_is_shown_one(here: House, role: Role, path: str, offered: bool) -> None:
    browser = here.person(f"{role.value}-{path.strip('/').replace('/', '-')}", role)
    page = browser.get(path)
    assert page.status_code == 200
    assert (page.text.count('method="post"') > 1) == offered


def test_the_people_s_page_stands_in_an_admin_s_menu_only(here: House) -> None:
    assert 'href="/users"' in here.person("ada", Role.ADMIN).get("/trust").text
    assert 'href="/users"' not in here.person("vera", Role.VIEWER).get("/trust").text
