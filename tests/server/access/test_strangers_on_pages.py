"""A stranger who opens a page is sent to sign in, and comes back to where they were."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from lineside.contract.people import Role
from tests.server.access.people import PASSWORD, House, house


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("here"), full=True) as opened:
        yield opened


def test_a_page_sends_to_the_login_page_and_back(here: House) -> None:
    here.person("vera", Role.VIEWER)
    browser = here.browser()
    sent = browser.get("/events?kind=user")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fevents%3Fkind%3Duser")
    form = {"name": "vera", "password": PASSWORD, "next": "/events?kind=user"}
    back = browser.post("/login", data=form)
    assert (back.status_code, back.headers["location"]) == (303, "/events?kind=user")
    assert browser.get(back.headers["location"]).status_code == 200


def test_a_form_sends_there_too_but_is_not_sent_again_afterwards(here: House) -> None:
    sent = here.browser().post("/models/tags/1/approve", data={"reason": "x"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2F")


def test_a_page_that_refreshes_itself_goes_there_as_a_whole(here: House) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": here.up.people_url + "/devices?page=2"}
    answer = here.browser().get("/devices?page=2", headers=headers)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?next=%2Fdevices%3Fpage%3D2")
    assert answer.text == ""


def test_the_api_answers_with_an_error_and_never_with_a_page(here: House) -> None:
    answer = here.browser().get("/api/v1/events", headers={"Accept": "text/html", "HX-Request": "true"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "auth.login_needed")


def test_who_may_not_is_told_so_on_a_page(here: House) -> None:
    browser = here.person("victor", Role.VIEWER)
    answer = browser.post("/models/tags/1/approve", data={"reason": "x"})
    assert answer.status_code == 403
    assert "victor may not do this: it needs the permission to approve." in answer.text


ELSEWHERE = ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)")


def test_signing_in_never_leads_to_another_site(here: House) -> None:
    here.person("nora", Role.VIEWER)
    for wanted in ELSEWHERE:
        sent = here.browser().post("/login", data={"name": "nora", "password": PASSWORD, "next": wanted})
        assert sent.status_code == 303
        assert httpx.URL(here.up.people_url).join(sent.headers["location"]).host == "127.0.0.1"
