"""Webhooks: others are told of every event they asked for, signed, again until they have taken it; a real HTTP server
hears them, fails first, and is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.webhook import MessageState, WebhookDetails, WebhookRequest, secret_key
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from lineside.server.webhooks import sending, service
from lineside.server.webhooks.loop import WebhooksLoop
from lineside.server.webhooks.service import Webhooks
from tests.server.webhooks.receiver import Receiver

TAKEN, WAITING, GIVEN_UP = MessageState.TAKEN, MessageState.WAITING, MessageState.GIVEN_UP


class Desk:
    """Where webhooks are made, events happen, and time passes."""

    def __init__(self, core: Core, clock: FakeClock) -> None:
        self.core, self.clock = core, clock
        self.webhooks = Webhooks(core)
        self.step = WebhooksLoop(core, self.webhooks).step

    def tell(self, receiver: Receiver, *kinds: str) -> str:
        with self.core.database.write() as session:
            made = self.webhooks.create(session, WebhookRequest(url=receiver.url, kinds=kinds))
        receiver.key = secret_key(made.secret)
        return made.webhook.id

    def happens(self, *kinds: str) -> None:
        with self.core.database.write() as session:
            for kind in kinds:
                self.core.events.record(session, kind=kind, subject="rollout-1", message=f"{kind} happened.")

    def show(self, webhook: str) -> WebhookDetails:
        with self.core.database.read() as session:
            return self.webhooks.show(session, webhook)

    def states(self, webhook: str) -> list[tuple[MessageState, int]]:
        """State and tries of each message, oldest first."""
        return [(one.state, one.tries) for one in reversed(self.show(webhook).messages)]


@pytest.fixture
def desk(core: Core, clock: FakeClock) -> Desk:
    return Desk(core, clock)


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def receiver(answers: list[int] | None = None, port: int = 0) -> Receiver:
        made.append(Receiver(answers, port))
        return made[-1]

    yield receiver
    for one in made:
        one.kill()


def test_what_was_asked_for_is_told_once_in_order_and_signed(desk, receivers):
    desk.happens("rollout.started")  # before anybody asked
    receiver = receivers()
    webhook = desk.tell(receiver, "rollout", "model.approved")
    desk.happens("rollout.wave_opened", "model.registered", "rollouts.other", "model.approved", "rollout.succeeded")
    for _ in range(2):
        desk.step()
    assert receiver.types == ["rollout.wave_opened", "model.approved", "rollout.succeeded"]
    assert all(good for _, _, good in receiver.heard)
    assert desk.states(webhook) == [(TAKEN, 1)] * 3
    assert desk.show(webhook).webhook.answer == "204"
    body = receiver.bodies[0]
    assert body["data"]["message"] == "rollout.wave_opened happened."
    assert (body["timestamp"], body["data"]["subject"]) == ("2026-01-01T00:00:00.000Z", "rollout-1")


def undone(desk: Desk) -> None:
    """An event whose transaction ends with an error."""
    with desk.core.database.write() as session:
        desk.core.events.record(session, kind="rollout.started", subject="rollout-1", message="")
        session.flush()
        raise ZeroDivisionError


def test_what_is_undone_is_told_nobody(desk, receivers):
    receiver = receivers()
    desk.tell(receiver)
    with pytest.raises(ZeroDivisionError):
        undone(desk)
    desk.step()
    assert receiver.heard == []


@pytest.mark.parametrize("status", [500, 429, 404, 302])
def test_who_fails_is_tried_again_later_with_the_same_message(desk, receivers, status):
    receiver = receivers([status])
    webhook = desk.tell(receiver, "rollout")
    desk.happens("rollout.started", "rollout.succeeded")
    desk.step()
    desk.step()  # not before its time
    assert desk.states(webhook) == [(WAITING, 1), (WAITING, 0)]
    assert desk.show(webhook).webhook.waiting == 2
    assert str(status) in desk.show(webhook).webhook.answer
    desk.clock.advance(sending.LONGEST_WAIT)
    desk.step()
    assert desk.states(webhook) == [(TAKEN, 2), (TAKEN, 1)]
    ids = [id_ for id_, _, _ in receiver.heard]
    assert ids[0] == ids[1] != ids[2]
    assert all(good for _, _, good in receiver.heard)


def test_one_that_is_dead_loses_nothing_and_slows_nobody(desk, receivers):
    dead, living = Receiver(), receivers()
    lost, kept = desk.tell(dead), desk.tell(living)
    dead.kill()
    desk.happens(*["rollout.started"] * 30)
    desk.step()
    assert len(living.heard) == 30
    assert desk.states(kept) == [(TAKEN, 1)] * 30
    assert desk.states(lost) == [(WAITING, 1), *[(WAITING, 0)] * 29]  # one try a round, not thirty
    assert "no answer" in desk.show(lost).webhook.answer
    again = receivers(port=dead.port)
    again.key = dead.key
    desk.clock.advance(sending.LONGEST_WAIT)
    desk.step()
    assert len(again.heard) == 30
    assert desk.show(lost).webhook.waiting == 0


def test_after_a_day_a_message_is_given_up_and_can_be_sent_again_by_hand(desk, receivers):
    receiver = receivers([500] * 3)
    webhook = desk.tell(receiver, "rollout")
    desk.happens("rollout.started")
    desk.step()
    desk.clock.advance(service.GIVE_UP.total_seconds() + 1)
    desk.step()
    desk.step()
    (message,) = desk.show(webhook).messages
    assert (message.state, message.answer) == (GIVEN_UP, "not taken within a day")
    receiver.answers.clear()
    with desk.core.database.write() as session:
        desk.webhooks.redeliver(session, webhook, message.id)
    desk.step()
    assert desk.states(webhook) == [(TAKEN, 1)]
    desk.clock.advance(service.KEEP.total_seconds() + 1)
    desk.step()
    assert desk.show(webhook).messages == ()


def test_nobody_is_told_about_webhooks(desk, receivers):
    receiver = receivers()
    webhook = desk.tell(receiver)
    desk.tell(receivers())
    desk.step()
    assert receiver.heard == []
    assert desk.show(webhook).messages == ()


def test_a_test_is_sent_at_once_and_not_again(desk, receivers):
    receiver = receivers([500])
    webhook = desk.tell(receiver, "rollout")
    assert (desk.webhooks.test(webhook).state, receiver.types) == (GIVEN_UP, ["webhook.test"])
    assert desk.webhooks.test(webhook).state is TAKEN
    desk.step()
    assert len(receiver.heard) == 2


def test_more_than_can_wait_is_given_up_oldest_first(desk, receivers, monkeypatch):
    monkeypatch.setattr(service, "MOST_WAITING", 3)
    receiver = receivers([500])
    webhook = desk.tell(receiver, "rollout")
    desk.happens(*["rollout.started"] * 5)
    desk.step()
    assert [state for state, _ in desk.states(webhook)] == [GIVEN_UP, GIVEN_UP, WAITING, WAITING, WAITING]


def test_one_that_is_removed_is_told_nothing_that_waited(desk, receivers):
    receiver = receivers([500])
    webhook = desk.tell(receiver)
    desk.happens("rollout.started")
    desk.step()
    with desk.core.database.write() as session:
        assert desk.webhooks.remove(session, webhook).id == webhook
        assert desk.webhooks.all(session) == []
    desk.clock.advance(sending.LONGEST_WAIT)
    desk.step()
    assert len(receiver.heard) == 1
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        desk.show(webhook)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a/b", "gopher://a", "http://", "https:///x", "http://a:b@c/", "http://a b/", "x", ""],
)
def test_other_addresses_are_refused(desk, url):
    with pytest.raises(LinesideError, match=r"webhook\.url"), desk.core.database.write() as session:
        desk.webhooks.create(session, WebhookRequest(url=url))


def test_kinds_are_looked_at_and_webhooks_are_few(desk, receivers, monkeypatch):
    receiver = receivers()
    with pytest.raises(LinesideError, match=r"webhook\.kind"):
        desk.tell(receiver, "roll out")
    monkeypatch.setattr(service, "MOST", 1)
    desk.tell(receiver)
    with pytest.raises(LinesideError, match=r"webhook\.too_many"):
        desk.tell(receiver)


def test_waits_grow_and_differ():
    assert max(sending.wait_after(1) for _ in range(50)) <= sending.FIRST_WAIT
    assert min(sending.wait_after(4) for _ in range(50)) >= sending.FIRST_WAIT * 4
    assert sending.wait_after(1000) <= sending.LONGEST_WAIT
    assert len({sending.wait_after(3) for _ in range(20)}) > 1
