"""Pages of deliveries and webhooks, and their API, over HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

import pytest

from lineside.contract.delivery import Delivery, DeliveryState, HookRequest, RuleRequest
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState
from lineside.contract.moves import Moved
from lineside.contract.webhook import WebhookRequest
from lineside.server.deliveries.pages import stages_of
from lineside.server.testing import Running
from lineside.server.webhooks.service import Webhooks
from tests.server.deliveries.office import Office


@pytest.fixture
def office(lineside: Running) -> Office:
    made = Office(lineside.core)
    made.fleet.join("a")
    made.register(1)
    return made


@pytest.fixture
def page(lineside: Running) -> Callable[[str], str]:
    def read(path: str) -> str:
        with urllib.request.urlopen(f"{lineside.people_url}{path}") as answer:
            return str(answer.read().decode())

    return read


def test_a_delivery_is_a_line_of_stages_with_what_it_waits_for(office, page):
    started = office.start(model="tags:1")
    office.stage(1)
    office.move(1, ModelState.AWAITING_APPROVAL)
    office.tick()
    shown = page(f"/deliveries/{started.id}")
    assert "Nobody has approved it yet." in shown
    assert shown.count('<span class="tag good">done</span>') == 2
    assert shown.count('aria-current="step"') == 1
    listed = page("/deliveries")
    assert f'href="/deliveries/{started.id}"' in listed
    assert "No rule." in listed


def test_rules_and_hooks_are_listed_without_secrets(office, page):
    with office.core.database.write() as session:
        office.rules.create(session, RuleRequest(model="tags", group="line"))
        made = office.hooks.create(session, HookRequest(name="ci", group="line"))
    listed = page("/deliveries")
    assert "/hooks/ci" in listed
    assert "rule-1" in listed
    assert made.secret not in listed


def test_webhooks_are_listed_with_their_messages(office, page):
    webhooks = Webhooks(office.core)
    with office.core.database.write() as session:
        made = webhooks.create(session, WebhookRequest(url="http://127.0.0.1:9/nobody", kinds=("rollout",)))
    webhooks.test(made.webhook.id)
    assert "http://127.0.0.1:9/nobody" in page("/webhooks")
    shown = page(f"/webhooks/{made.webhook.id}")
    assert "webhook.test" in shown
    assert "no answer" in shown
    assert made.secret not in shown


def delivery(state: DeliveryState, *past: str, model: bool = True) -> Delivery:
    moves = tuple(Moved(at="", current=one, wanted="", why="") for one in past)
    return Delivery(
        id="delivery-1",
        what="tags:1",
        model=model,
        group="line",
        state=state,
        note="",
        cause="ana",
        created_at="",
        history=moves,
    )


def test_stages_say_what_is_done_what_is_under_way_and_where_it_stopped():
    def stages(*of: str, **more: bool) -> list[str]:
        state, *past = of
        return [how for _, how in stages_of(delivery(DeliveryState(state), *past, **more))]

    assert stages("packaging") == ["now", "", "", ""]
    assert stages("rollout", "packaging", "approval") == ["done", "done", "done", "now"]
    assert stages("delivered", "rollout") == ["done"] * 4
    assert stages("failed", "packaging", "twin") == ["done", "stopped", "", ""]
    assert stages("cancelled", "rollout") == ["done", "done", "done", "stopped"]
    assert stages("approval", model=False) == ["now", ""]


def test_one_that_is_not_there_is_not_found(office):
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        office.show("delivery-7")
