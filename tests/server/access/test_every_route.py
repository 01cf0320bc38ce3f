"""Every route of people's API, of the pages and of the devices' API, asked for as every kind of caller: who gets in is
exactly who `decisions` says, and everybody else meets 401 or 403 at the door."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from lineside.contract.people import Permission, Role
from lineside.server.testing import FakeClock
from lineside.server.testing_device import TestDevice, make_token
from tests.eventually import PATIENCE
from tests.server.access.decisions import DEVICES, PEOPLE, ROLES, Device
from tests.server.access.people import House, house

READ, OPERATE, WORK = Permission.READ, Permission.OPERATE, Permission.WORK
DEVICE_ROLES = ("nobody", "accepted", "quarantined", "revoked", "another device's expired token", "admin", "worker")


@dataclass(frozen=True)
class Asking:
    """One request of the walk."""

    method: str
    route: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def page(self) -> bool:
        return not self.route.startswith(("/api/", "/device/", "/schema"))

    @property
    def path(self) -> str:
        """An address of the route, whose parameters name nothing that is there."""
        filled = re.sub(r"\{\w+:int\}", "987654", self.route)
        filled = re.sub(r"\{\w+:path\}", "nothing/here", filled)
        filled = re.sub(r"\{digest:str\}", "sha256:" + "0" * 64, filled)
        return re.sub(r"\{\w+:str\}", "nothing", filled)

    def send(self, client: httpx.Client) -> httpx.Response:
        """Ask, with a body that no handler takes."""
        if self.method in ("GET", "HEAD"):
            return client.request(self.method, self.path)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if self.page else {}
        return client.request(self.method, self.path, content=b"{}", headers=form)


def routes_of(app: Litestar) -> list[Asking]:
    """The real routes. OPTIONS is the framework's own and says which methods there are. Signing out comes last."""
    found = [
        Asking(str(method), route.path)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    ]
    return sorted(found, key=lambda asking: ("logout" in asking.route, asking.route, asking.method))


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[House]:
    """A control plane with every room and real accounts."""
    with house(tmp_path_factory.mktemp("plant"), clock, full=True) as opened:
        yield opened


def test_every_route_has_a_decision(plant: House) -> None:
    people = {asking.name for asking in routes_of(plant.up.apps.people)}
    devices = {asking.name for asking in routes_of(plant.up.apps.devices)}
    every = [*plant.up.apps.people.routes, *plant.up.apps.devices.routes]
    assert all(isinstance(route, HTTPRoute) for route in every)
    assert (people - PEOPLE.keys(), devices - DEVICES.keys()) == (set(), set()), "decide in decisions.py who may"
    assert (PEOPLE.keys() - people, DEVICES.keys() - devices) == (set(), set()), "these are gone"


@pytest.mark.parametrize("role", ROLES)
def test_people_get_in_where_they_may_and_nowhere_else(plant: House, clock: FakeClock, role: str) -> None:
    enter = _entries(plant, clock)[role]
    client, has = enter(), ROLES[role]
    wrong = {}
    for asking in routes_of(plant.up.apps.people):
        allowed = PEOPLE[asking.name]
        expected = "in" if not allowed or (has and has & allowed) else "login" if has is None else "forbidden"
        answer = asking.send(client)
        assert answer.status_code < 500 or answer.status_code == 503, (asking, answer.text)
        if (met := _met(asking, answer)) != expected:
            wrong[asking.name] = f"{met} instead of {expected}: {answer.status_code} {answer.text[:200]}"
        if "logout" in asking.route and has:
            client = enter()
    assert wrong == {}


def _met(asking: Asking, answer: httpx.Response) -> str:
    """What the caller met: the way to the login page, the refusal of the door, or the handler."""
    if asking.page:
        if answer.status_code == 303 and answer.headers["location"].startswith("/login?next="):
            return "login"
        if answer.status_code == 401 and "The token that was sent is not good here" in answer.text:
            return "login"
        return "forbidden" if answer.status_code == 403 and "may not do this" in answer.text else "in"
    code = answer.json()["error"]["code"] if answer.status_code in (401, 403) and answer.content else ""
    if code in ("auth.login_needed", "auth.credential_refused"):
        return "login"
    return "forbidden" if code == "auth.forbidden" else "in"


_made: dict[str, int] = {}


def _entries(plant: House, clock: FakeClock) -> dict[str, Callable[[], httpx.Client]]:
    """How each caller comes in; a second time when they have signed out."""

    def person(role: Role) -> Callable[[], httpx.Client]:
        return lambda: plant.person(_new(role.value), role)

    def token(owner: str, *permissions: Permission) -> Callable[[], httpx.Client]:
        return lambda: plant.with_token(plant.token(owner, *permissions))

    def member(*roles: Role) -> str:
        name = _new("member")
        plant.person(name, *roles)
        return name

    def demoted() -> httpx.Client:
        name = member(Role.OPERATOR)
        shown = plant.token(name, READ, OPERATE)
        plant.local().post(f"/api/v1/users/{name}/roles", json={"roles": ["viewer"]}).raise_for_status()
        return plant.with_token(shown)

    def expired() -> httpx.Client:
        shown = plant.token(member(Role.ADMIN), READ, ttl=60)
        clock.advance(61)
        return plant.with_token(shown)

    def disabled() -> httpx.Client:
        name = member(Role.ADMIN)
        shown = plant.token(name, READ)
        plant.local().post(f"/api/v1/users/{name}/disable").raise_for_status()
        return plant.with_token(shown)

    def ended() -> httpx.Client:
        browser = plant.person(_new("gone"), Role.ADMIN)
        kept = dict(browser.cookies)
        browser.post("/api/v1/logout").raise_for_status()
        return plant.browser(cookies=kept)

    return {
        "nobody": plant.browser,
        "viewer": person(Role.VIEWER),
        "operator": person(Role.OPERATOR),
        "approver": person(Role.APPROVER),
        "admin": person(Role.ADMIN),
        "worker": lambda: plant.with_token("worker"),
        "token of an admin that may only read": token(member(Role.ADMIN), READ),
        "token of an admin for a worker elsewhere": token(member(Role.ADMIN), READ, WORK),
        "token of an operator who is only a viewer now": demoted,
        "token that has expired": expired,
        "token of somebody who was disabled": disabled,
        "session that has ended": ended,
        "device": lambda: plant.with_token(_device(plant, _new("device")).token()),
    }


def _new(word: str) -> str:
    _made[word] = _made.get(word, 0) + 1
    return f"{word}-{_made[word]}"


def _device(plant: House, name: str) -> TestDevice:
    token = make_token(plant.up, headers={"Authorization": "Bearer local"})
    return TestDevice.join(plant.up, name, token=token)


@pytest.mark.parametrize("role", DEVICE_ROLES)
def test_devices_get_in_where_they_may_and_nowhere_else(plant: House, clock: FakeClock, role: str) -> None:
    shown = _device_credential(plant, clock, role)
    headers = {"Authorization": f"Bearer {shown}"} if shown else {}
    wrong = {}
    with httpx.Client(base_url=plant.up.device_url, headers=headers, timeout=PATIENCE) as client:
        for asking in routes_of(plant.up.apps.devices):
            who = DEVICES[asking.name]
            may = who is Device.STRANGER or role == "accepted" or (role == "quarantined" and who is Device.STANDING)
            answer = asking.send(client)
            assert answer.status_code < 500, (asking, answer.text)
            if _refused_at_the_door(answer) == may:
                wrong[asking.name] = f"{answer.status_code} {answer.text[:200]}"
    assert wrong == {}


def _refused_at_the_door(answer: httpx.Response) -> bool:
    if answer.status_code not in (401, 403):
        return False
    code = str(answer.json()["error"]["code"])
    return code in {
        "auth.token_missing",
        "auth.token_invalid",
        "auth.token_expired",
        "auth.device_revoked",
        "auth.device_quarantined",
    }


def _device_credential(plant: House, clock: FakeClock, role: str) -> str:
    if role == "nobody":
        return ""
    if role == "admin":
        return plant.token(_admin(plant), READ)
    if role == "worker":
        return "worker"
    device = _device(plant, _new(role.split()[0].replace("'", "")))
    shown = device.token()
    if role == "quarantined":
        plant.local().post(f"/api/v1/devices/{device.name}/quarantine", json={"why": "a look"}).raise_for_status()
    elif role == "revoked":
        plant.local().post(f"/api/v1/devices/{device.name}/revoke", json={"why": "lost"}).raise_for_status()
    elif "expired" in role:
        clock.advance(plant.up.core.settings.access_token_seconds + 120)
    return shown


def _admin(plant: House) -> str:
    name = _new("admin")
    plant.person(name, Role.ADMIN)
    return name
