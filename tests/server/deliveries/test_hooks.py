"""Doors for programs elsewhere: real HTTP, real signatures, and everything that must not get in."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from sqlalchemy import select

from lineside.contract.delivery import HookMade, HookRequest
from lineside.contract.errors import LinesideError
from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, secret_key, sign
from lineside.server.access.audit import AuditRow
from lineside.server.components.testing import release_app
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running
from tests.server.deliveries.office import Office

BODY = b'{"model": "tags:1"}'


class Door:
    """A door of a running control plane, and somebody who has its secret."""

    def __init__(self, lineside: Running, clock: FakeClock) -> None:
        self.url, self.clock = lineside.people_url, clock
        self.office = Office(lineside.core)
        self.office.fleet.join("a")
        self.office.register(1)
        self.made = self.create(name="ci", group="line")
        self.key = secret_key(self.made.secret)

    def create(self, **request: str) -> HookMade:
        with self.office.core.database.write() as session:
            return self.office.hooks.create(session, HookRequest(**request))

    def send(
        self, body: bytes = BODY, id_: str = "msg_1", name: str = "ci", key: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        at = int(self.clock.now().timestamp())
        wanted = {ID: id_, TIMESTAMP: str(at), SIGNATURE: sign(key or self.key, id_, at, body)} | headers
        request = urllib.request.Request(f"{self.url}/hooks/{name}", body, wanted, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)["error"]["code"]


@pytest.fixture
def door(lineside: Running, clock: FakeClock) -> Door:
    return Door(lineside, clock)


def test_a_signed_message_starts_a_delivery_once(door):
    status, delivery = door.send()
    assert (status, delivery["what"], delivery["cause"]) == (202, "tags:1", "hook ci")
    door.office.cancel(delivery["id"])
    assert door.send()[1]["id"] == delivery["id"]  # the same message again starts nothing
    assert door.send(id_="msg_2")[1]["id"] != delivery["id"]
    with door.office.core.database.read() as session:
        by = session.execute(select(AuditRow.actor, AuditRow.by).where(AuditRow.action == "delivery.start")).all()
    assert [tuple(row) for row in by] == [("hook ci", "hook")] * 2


def test_what_is_not_signed_with_its_secret_is_refused_whatever_the_name(door):
    other = b"x" * 32
    old = sign(door.key, "msg_1", int(door.clock.now().timestamp()), b"{}")
    assert door.send(key=other) == (401, "hook.refused")
    assert door.send(name="nowhere") == (401, "hook.refused")
    assert door.send(**{SIGNATURE: ""}) == (401, "hook.refused")
    assert door.send(**{SIGNATURE: old}) == (401, "hook.refused")
    assert door.send(**{ID: "msg_9"}) == (401, "hook.refused")
    assert door.send(**{TIMESTAMP: "soon"}) == (401, "hook.refused")
    assert door.office.all() == []


def test_one_good_signature_among_several_is_enough(door):
    at = int(door.clock.now().timestamp())
    both = f"v1,AAAA {sign(door.key, 'msg_1', at, BODY)} v2,x"
    assert door.send(**{SIGNATURE: both})[0] == 202


@pytest.mark.parametrize("late", [-301, 301])
def test_a_message_of_another_time_is_refused(door, late):
    at = int(door.clock.now().timestamp()) + late
    signed = sign(door.key, "msg_1", at, BODY)
    assert door.send(**{TIMESTAMP: str(at), SIGNATURE: signed}) == (401, "hook.refused")
    door.clock.advance(late if late > 0 else 0)
    assert door.send(**{TIMESTAMP: str(at), SIGNATURE: signed})[0] == (202 if late > 0 else 401)


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"model": 5}', b'{"component": "camera"}', b"{}", b"\xff"])
def test_a_message_that_names_nothing_is_refused(door, body):
    assert door.send(body) == (400, "delivery.unclear")
    assert door.office.all() == []


def test_a_hook_for_one_model_delivers_nothing_else(door):
    only = door.create(name="tags-only", group="line", model="tags")
    key = secret_key(only.secret)
    assert door.send(b"", name="tags-only", key=key)[1]["what"] == "tags:1"
    assert door.send(b'{"version": 1}', "msg_2", "tags-only", key)[1]["what"] == "tags:1"
    assert door.send(b'{"model": "nuts"}', "msg_3", "tags-only", key) == (400, "delivery.unclear")
    assert door.send(b'{"component": "camera 1.0.0"}', "msg_4", "tags-only", key) == (400, "delivery.unclear")


def test_a_door_whose_key_was_lost_answers_as_one_that_is_not_there(door):
    (door.office.core.keys / "webhooks.key").write_bytes(b"")
    assert door.send(b"") == (401, "hook.refused")
    with pytest.raises(LinesideError, match=r"delivery\.unclear"):
        door.create(name="wide", group="line", model="tags:3")


def test_a_hook_for_one_component_takes_its_version(door):
    core = door.office.core
    release_app(door.office.components, core.database, "camera", "1.0.0")
    only = door.create(name="camera", group="line", component="camera")
    said = door.send(b'{"version": "1.0.0"}', name="camera", key=secret_key(only.secret))
    assert said[1]["what"] == "camera 1.0.0"


def test_a_secret_is_kept_sealed_and_a_closed_door_stays_closed(core: Core):
    office = Office(core)
    office.fleet.join("a")
    with core.database.write() as session:
        made = office.hooks.create(session, HookRequest(name="ci", group="line"))
    key = secret_key(made.secret)
    assert made.secret not in repr(made)
    core.database.close()
    assert all(key not in file.read_bytes() for file in core.root.rglob("*") if file.is_file())
    assert (core.keys / "webhooks.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(LinesideError, match=r"hook\.exists"), core.database.write() as session:
        office.hooks.create(session, HookRequest(name="ci", group="line"))
    with core.database.write() as session:
        office.hooks.remove(session, "ci")
    with core.database.read() as session:
        assert office.hooks.all(session) == []
