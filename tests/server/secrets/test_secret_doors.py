"""Who may touch secrets: admins set and remove, everybody who reads sees names, devices ask for their own."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from lineside.contract.people import PERMISSIONS, Role
from lineside.server.access.caller import Caller
from lineside.server.access.testing import Listed
from lineside.server.testing import running

CHANGES = [
    ("/secrets", {"name": "db", "value": base64.b64encode(b"x").decode()}),
    ("/secrets/remove", {"name": "db"}),
    ("/secrets/rotate-key", None),
]


def test_only_admins_change_secrets_and_a_stranger_sees_none(tmp_path: Path) -> None:
    people = {role.value: Caller(name=role.value, by="token", permissions=PERMISSIONS[role]) for role in Role}
    with running(tmp_path / "root", doorkeeper=Listed(people)) as lineside:
        api = f"{lineside.people_url}/api/v1"
        for who in ("viewer", "operator", "approver", None, "admin"):
            headers = {"Authorization": f"Bearer {who}"} if who else {}
            changed = [httpx.post(api + path, json=body, headers=headers).status_code for path, body in CHANGES]
            expected = {None: [401] * 3, "admin": [200] * 3}.get(who, [403] * 3)
            assert changed == expected, who
            seen = httpx.get(f"{api}/secrets", headers=headers)
            assert seen.status_code == (200 if who else 401)
        assert httpx.get(f"{lineside.device_url}/device/v1/secrets").status_code == 401


@pytest.mark.parametrize(
    "body", [{"name": "db", "value": "no base64 PLANTED!"}, {"value": "UExBTlRFRA=="}, ["PLANTED"]]
)
def test_a_refusal_does_not_repeat_the_value(tmp_path: Path, body: object) -> None:
    with running(tmp_path / "root") as lineside:
        answer = httpx.post(f"{lineside.people_url}/api/v1/secrets", json=body)
    assert answer.status_code == 400
    assert "PLANTED" not in answer.text
    assert "UExB" not in answer.text


def test_the_page_takes_a_value_and_never_shows_it(tmp_path: Path) -> None:
    with running(tmp_path / "root") as lineside, httpx.Client(base_url=lineside.people_url) as browser:
        headers = {"Origin": lineside.people_url, "Sec-Fetch-Site": "same-origin"}
        sent = browser.post("/secrets", data={"name": "line1/db", "value": "PLANTED"}, headers=headers)
        assert (sent.status_code, sent.headers["location"]) == (303, "/secrets")
        listed, shown = browser.get("/secrets"), browser.get("/secrets/details", params={"name": "line1/db"})
        assert "line1/db" in listed.text
        assert "AWSCURRENT" in shown.text
        refused = browser.post("/secrets", data={"name": "a b", "value": "PLANTED"}, headers=headers)
        assert (refused.status_code, "secret.bad_name" in refused.text) == (400, True)
        for page in (listed, shown, refused):
            assert "PLANTED" not in page.text
        assert browser.post("/secrets/remove", data={"name": "line1/db"}, headers=headers).status_code == 303
        assert browser.get("/secrets/details", params={"name": "line1/db"}).status_code == 404
