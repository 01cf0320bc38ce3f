"""Doors through which programs elsewhere start deliveries: POST /hooks/{name}, signed as Standard Webhooks says.

A message is let in when it is signed with the door's secret, and its time is near ours; the same message again (by
`webhook-id`) is answered with the delivery that it started. A door that is not there answers as one whose secret is
another.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec
import structlog
from sqlalchemy.orm import Session

from lineside.contract.delivery import (
    Delivery,
    DeliveryHook,
    DeliveryRequest,
    HookMade,
    HookMessage,
    HookRequest,
)
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.webhook import ID, secret_text
from lineside.server.access.caller import Caller, acting, current
from lineside.server.clock import rfc3339
from lineside.server.deliveries import store
from lineside.server.deliveries.service import Deliveries
from lineside.server.deliveries.store import HookMessageRow, HookRow
from lineside.server.incoming import refusal
from lineside.server.secrets.keys import SecretKeys
from lineside.server.services import Core

_KEY_BYTES = 32

_log = structlog.get_logger("lineside.deliveries")


class Hooks:
    """The doors. Methods with a session take part in the caller's transaction."""

    def __init__(self, core: Core, deliveries: Deliveries) -> None:
        self._core, self._deliveries = core, deliveries
        self._keys = SecretKeys(core.keys / "webhooks.key")
        self._nobody = secrets.token_bytes(_KEY_BYTES)

    def all(self, session: Session) -> list[DeliveryHook]:
        """All of them by name."""
        return [row.value() for row in store.hooks(session)]

    def create(self, session: Session, request: HookRequest) -> HookMade:
        """Open a door; its secret is shown this once. Raises `hook.exists`, `delivery.unclear`,
        `deployment.unknown_group`, `rollout.plan_invalid`."""
        if not is_name(request.name):
            raise LinesideError("delivery.unclear", why=f"{request.name!r} is no name for a hook")
        if request.model is not None and request.component is not None:
            raise LinesideError("delivery.unclear", why="a hook is for a model or a component, not for both")
        for about in (request.model, request.component):
            if about is not None and not is_name(about):
                raise LinesideError("delivery.unclear", why=f"{about[:80]!r} is not the name of a model or component")
        self._deliveries.check_goal(session, request.group, request.plan)
        if session.get(HookRow, request.name) is not None:
            raise LinesideError("hook.exists", name=request.name)
        key = secrets.token_bytes(_KEY_BYTES)
        row = HookRow(
            name=request.name,
            group=request.group,
            model=request.model,
            component=request.component,
            plan=request.plan,
            secret=self._keys.seal(_sealed(request.name), "1", key),
            created_at=rfc3339(self._core.clock.now()),
            by=current().name,
        )
        session.add(row)
        session.flush()
        about = request.model or request.component or "anything"
        self._said(session, row.name, f"the hook {row.name} may start deliveries of {about} to {row.group}")
        url = f"{self._core.addresses.people_url}/hooks/{row.name}"
        return HookMade(hook=row.value(), url=url, secret=secret_text(key))

    def remove(self, session: Session, name: str) -> DeliveryHook:
        """Close a door. Raises `request.not_found`."""
        row = session.get(HookRow, name)
        if row is None:
            raise LinesideError("request.not_found", what="hook", name=name)
        gone = row.value()
        session.delete(row)
        self._said(session, name, f"the hook {name} may start nothing any more")
        return gone

    def receive(self, name: str, headers: Mapping[str, str], body: bytes, source: str = "") -> Delivery:
        """Let a message in. Raises `hook.refused`, and what `Deliveries.start` does."""
        with self._core.database.read() as session:
            row = session.get(HookRow, name)
        why = refusal(self._key(name, row), headers, body, self._core.clock.now().timestamp())
        if why is not None or row is None:
            raise _refused(why or "its signature is not of this message")
        caller = Caller(name=f"hook {name}", by="hook", source=source)
        with acting(caller), self._core.database.write() as session:
            return self._start(session, name, headers[ID], body)

    def _key(self, name: str, row: HookRow | None) -> bytes:
        """The key of a door; nobody's where there is none, or none that can be opened: strangers are not told which."""
        try:
            return self._nobody if row is None else self._keys.open(_sealed(name), "1", row.secret)
        except LinesideError as error:
            _log.error("hook cannot be opened", hook=name, why=error.message)
            return self._nobody

    def _start(self, session: Session, name: str, id_: str, body: bytes) -> Delivery:
        row, before = session.get(HookRow, name), session.get(HookMessageRow, (name, id_))
        if row is None:
            raise _refused("its signature is not of this message")
        if before is not None:
            return self._deliveries.show(session, f"delivery-{before.delivery}")
        made = self._deliveries.start(session, _request(row, body), cause=f"hook {name}")
        number = store.number_of(made.id, "delivery")
        session.add(HookMessageRow(hook=name, id=id_, at=rfc3339(self._core.clock.now()), delivery=number))
        session.flush()
        return made

    def _said(self, session: Session, name: str, said: str) -> None:
        self._core.audit.record(session, "delivery.hook", name, why=said)
        message = said[:1].upper() + said[1:] + "."
        self._core.events.record(session, kind="delivery.hook", subject=name, message=message)


def _request(row: HookRow, body: bytes) -> DeliveryRequest:
    """What a message asks for, within what its door is for. Raises `delivery.unclear`."""
    try:
        said = msgspec.json.decode(body, type=HookMessage) if body.strip() else HookMessage()
    except msgspec.DecodeError as error:
        raise LinesideError("delivery.unclear", why=f"the message is not what a hook reads ({error})") from error
    version = "" if said.version is None else str(said.version)
    model = _within("model", said.model or row.model, version, ":", row.model)
    component = _within("component", said.component or row.component, version, " ", row.component)
    if (row.model and component) or (row.component and model):
        raise LinesideError("delivery.unclear", why=f"this hook is for {row.model or row.component} only")
    return DeliveryRequest(group=row.group, model=model, component=component, plan=row.plan)


def _within(kind: str, said: str | None, version: str, between: str, only: str | None) -> str | None:
    if said is None:
        return None
    name, _, own = said.strip().partition(between)
    if only is not None and name != only:
        raise LinesideError("delivery.unclear", why=f"this hook is for the {kind} {only} only")
    chosen = own.strip() or version
    return f"{name}{between}{chosen}" if chosen else name


def _sealed(name: str) -> str:
    return f"hook/{name}"


def _refused(why: str) -> LinesideError:
    return LinesideError("hook.refused", why=why)
