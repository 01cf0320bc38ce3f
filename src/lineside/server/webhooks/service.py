"""What is done with webhooks: made, listed, removed, tried; events become messages, and messages are taken or not."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.webhook import (
    MessageState,
    Webhook,
    WebhookDetails,
    WebhookMade,
    WebhookMessage,
    WebhookRequest,
    secret_text,
)
from lineside.server.access.caller import current
from lineside.server.access.store import EventRow
from lineside.server.clock import rfc3339
from lineside.server.secrets.keys import SecretKeys
from lineside.server.services import Core
from lineside.server.webhooks import sending, store
from lineside.server.webhooks.sending import Answer
from lineside.server.webhooks.store import MessageRow, WebhookRow

MOST = 50
MOST_WAITING = 10_000
GIVE_UP = timedelta(days=1)
KEEP = timedelta(days=7)
_AT_ONCE = 500
_SHOWN = 100
_KEY_BYTES = 32
_OWN = "webhook"  # events about webhooks are told nobody: a receiver that fails would be told of it for ever


class Webhooks:
    """The webhooks room's use cases. Methods with a session take part in the caller's transaction."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._keys = SecretKeys(core.keys / "webhooks.key")
        self._connections = sending.pool()

    # --- for people -------------------------------------------------------------------------------------------------

    def create(self, session: Session, request: WebhookRequest) -> WebhookMade:
        """Tell somebody of what happens from now on. Raises `webhook.url`, `webhook.kind`, `webhook.too_many`."""
        sending.check_url(request.url)
        for kind in request.kinds:
            if not kind or len(kind) > 64 or not kind.replace(".", "").replace("_", "").isalnum():
                raise LinesideError("webhook.kind", kind=repr(kind[:64]))
        if len(store.webhooks(session)) >= MOST:
            raise LinesideError("webhook.too_many", most=MOST)
        key = secrets.token_bytes(_KEY_BYTES)
        row = WebhookRow(
            url=request.url,
            kinds=tuple(dict.fromkeys(request.kinds)),
            secret=self._keys.seal(_sealed(request.url), "1", key),
            created_at=self._now(),
            by=current().name,
            read_to=store.newest_event(session),
        )
        session.add(row)
        session.flush()
        self._said(session, row, f"{row.url} is told of {', '.join(row.kinds) or 'everything'}")
        return WebhookMade(webhook=row.value(), secret=secret_text(key))

    def remove(self, session: Session, id_: str) -> Webhook:
        """Tell them nothing any more, not what waits either. Raises `request.not_found`."""
        row = self._row(session, id_)
        gone = row.value()
        session.query(MessageRow).filter(MessageRow.webhook == row.number).delete(synchronize_session=False)
        session.delete(row)
        self._said(session, row, f"{row.url} is told nothing any more")
        return gone

    def all(self, session: Session) -> list[Webhook]:
        """Every webhook, oldest first."""
        return [row.value(store.waiting(session, row.number)) for row in store.webhooks(session)]

    def show(self, session: Session, id_: str) -> WebhookDetails:
        """One, with its newest messages. Raises `request.not_found`."""
        row = self._row(session, id_)
        messages = store.newest_messages(session, row.number, _SHOWN)
        shown = row.value(store.waiting(session, row.number))
        return WebhookDetails(webhook=shown, messages=tuple(one.value() for one in messages))

    def test(self, id_: str) -> WebhookMessage:
        """Send a message of the kind `webhook.test` now; what came of it. It is not tried again."""
        with self._core.database.write() as session:
            row = self._row(session, id_)
            message = self._message(session, row, "webhook.test", row.id, {"message": "This is a test."}, None)
            message.state, message.next_at = MessageState.GIVEN_UP, None
            self._said(session, row, f"{row.url} was sent a test")
            session.flush()
            number = message.number
        answer = self.send(number)
        with self._core.database.write() as session:
            if answer is not None:
                self.answered(session, number, answer)
            return session.get_one(MessageRow, number).value()

    def redeliver(self, session: Session, id_: str, message: str) -> WebhookMessage:
        """Try a message again, now and for another day. Raises `request.not_found`."""
        row = self._row(session, id_)
        number = message.removeprefix("msg_")
        found = (
            session.get(MessageRow, int(number)) if number.isascii() and number.isdigit() and len(number) < 16 else None
        )
        if found is None or found.webhook != row.number:
            raise LinesideError("request.not_found", what="message", name=message)
        found.state, found.tries, found.next_at = MessageState.WAITING, 0, self._now()
        found.created_at = self._now()
        row.resume_at = None
        self._said(session, row, f"{found.id} is sent again to {row.url}")
        session.flush()
        return found.value()

    # --- for the loop -----------------------------------------------------------------------------------------------

    def behind(self, session: Session) -> list[int]:
        """Webhooks that have not looked at the newest event; reads only."""
        newest = store.newest_event(session)
        return [row.number for row in store.webhooks(session) if row.read_to < newest]

    def take_in(self, session: Session, number: int) -> None:
        """Make messages of the next events that a webhook is to be told of."""
        row = session.get(WebhookRow, number)
        if row is None:
            return
        events = store.events_after(session, row.read_to, _AT_ONCE)
        for event in events:
            if _wanted(event.kind, row.kinds):
                self._message(session, row, event.kind, event.subject, _data(event), event)
        if events:
            row.read_to = events[-1].id
        session.flush()
        too_many = store.waiting(session, number) - MOST_WAITING
        if too_many > 0:
            oldest = store.due(session, number, "9999", too_many)
            why = f"more than {MOST_WAITING} waited"
            store.give_up(session, (MessageRow.number.in_(oldest[:_AT_ONCE]),), why, self._now())

    def due(self, session: Session, limit: int) -> dict[int, list[int]]:
        """The messages whose time has come, by webhook; none of a receiver that failed just now."""
        now = self._now()
        found: dict[int, list[int]] = {}
        for row in store.webhooks(session):
            if row.resume_at is None or row.resume_at <= now:
                numbers = store.due(session, row.number, now, limit)
                found |= {row.number: numbers} if numbers else {}
        return found

    def send(self, number: int) -> Answer | None:
        """One try of a message, outside any transaction; None when it was removed meanwhile."""
        with self._core.database.read() as session:
            message = session.get(MessageRow, number)
            row = session.get(WebhookRow, message.webhook) if message is not None else None
        if message is None or row is None:
            return None
        now = int(self._core.clock.now().timestamp())
        try:
            key = self._keys.open(_sealed(row.url), "1", row.secret)
        except LinesideError as error:
            return Answer(False, error.message)
        return sending.send(self._connections, row.url, key, message.id, message.body.encode(), now)

    def needs_tidying(self, session: Session) -> bool:
        """Whether `tidy` would change anything; reads only."""
        now = self._core.clock.now()
        old = session.query(MessageRow.number).filter(
            (MessageRow.state != MessageState.WAITING) & (MessageRow.created_at < rfc3339(now - KEEP))
            | (MessageRow.state == MessageState.WAITING) & (MessageRow.created_at < rfc3339(now - GIVE_UP))
        )
        return old.first() is not None

    def tidy(self, session: Session) -> None:
        """Give up what was not taken within a day, and forget what ended a week ago."""
        now = self._core.clock.now()
        given_up = store.give_up(
            session, (MessageRow.created_at < rfc3339(now - GIVE_UP),), "not taken within a day", self._now()
        )
        if given_up:
            what = counted(given_up, "message was", "messages were")
            message = f"{what} not taken within a day; send one again: lineside webhooks list"
            self._core.events.record(session, kind="webhook.given_up", subject="webhooks", message=message)
        store.forget(session, rfc3339(now - KEEP))

    def answered(self, session: Session, number: int, answer: Answer) -> None:
        """Note what a try came to, and when the next is."""
        message = session.get(MessageRow, number)
        row = session.get(WebhookRow, message.webhook) if message is not None else None
        if message is None or row is None:
            return
        message.tries += 1
        message.answer, message.answered_at = answer.words, self._now()
        row.answer, row.answered_at = answer.words, self._now()
        if answer.taken:
            message.state, message.next_at, row.failures, row.resume_at = MessageState.TAKEN, None, 0, None
            return
        row.failures += 1
        row.resume_at = self._after(sending.wait_after(min(row.failures, 5)))
        if message.state is MessageState.WAITING:
            message.next_at = self._after(sending.wait_after(message.tries))

    def _message(
        self,
        session: Session,
        row: WebhookRow,
        kind: str,
        subject: str,
        data: dict[str, object],
        event: EventRow | None,
    ) -> MessageRow:
        at = event.at if event else self._now()
        body = msgspec.json.encode({"type": kind, "timestamp": at, "data": data}).decode()
        message = MessageRow(
            webhook=row.number,
            event=event.id if event else None,
            kind=kind,
            subject=subject,
            body=body,
            created_at=self._now(),
            next_at=self._now(),
        )
        session.add(message)
        return message

    def _said(self, session: Session, row: WebhookRow, said: str) -> None:
        self._core.audit.record(session, "webhook.change", row.id, why=said)
        self._core.events.record(session, kind="webhook.changed", subject=row.id, message=f"{row.id}: {said}.")

    def _row(self, session: Session, id_: str) -> WebhookRow:
        row = session.get(WebhookRow, _number_of(id_, "webhook-"))
        if row is None:
            raise LinesideError("request.not_found", what="webhook", name=id_)
        return row

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())

    def _after(self, seconds: float) -> str:
        return rfc3339(self._core.clock.now() + timedelta(seconds=seconds))


def _wanted(kind: str, kinds: Sequence[str]) -> bool:
    if kind.partition(".")[0] == _OWN:
        return False
    return not kinds or any(kind == one or kind.startswith(f"{one}.") for one in kinds)


def _data(event: EventRow) -> dict[str, object]:
    said = msgspec.structs.asdict(event.value())
    return {name: value for name, value in said.items() if name not in ("at", "kind")}


def _number_of(id_: str, prefix: str) -> int:
    number = id_.removeprefix(prefix)
    good = id_.startswith(prefix) and number.isascii() and number.isdigit() and len(number) < 16
    return int(number) if good else -1


def _sealed(url: str) -> str:
    return f"webhook/{url}"[:512]
