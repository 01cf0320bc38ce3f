"""Webhooks: the control plane tells others what changed. Also what every message that crosses is signed like.

Source: the Standard Webhooks specification 1.0.0 (standardwebhooks.com): headers `webhook-id`, `webhook-timestamp`
(seconds since 1970) and `webhook-signature` (`v1,BASE64` of HMAC-SHA256 over `id.timestamp.body`; several, with spaces
between), secrets `whsec_BASE64`.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac

import msgspec

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE = 300
"""Seconds by which a message's time may differ from ours."""

_PREFIX = "whsec_"
_VERSION = "v1,"


def secret_text(key: bytes) -> str:
    """A secret as people copy it."""
    return _PREFIX + base64.b64encode(key).decode()


def secret_key(text: str) -> bytes:
    """The key in a secret's text. Raises ValueError."""
    return base64.b64decode(text.removeprefix(_PREFIX), validate=True)


def sign(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    said = f"{id_}.{timestamp}.".encode() + body
    return _VERSION + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


def is_signed(key: bytes, id_: str, timestamp: int, body: bytes, signatures: str) -> bool:
    """Whether one of the signatures is of this message; how long it takes tells nothing about the right one."""
    wanted = sign(key, id_, timestamp, body).encode()
    return any(hmac.compare_digest(wanted, one.encode()) for one in signatures.split(" "))


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell `url` of every event whose kind is one of `kinds`, or begins with one and a dot (`rollout`, `model`); of all
    when there is none."""

    url: str
    kinds: tuple[str, ...] = ()


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of what. `answer` is what the newest try came to."""

    id: str
    url: str
    kinds: tuple[str, ...]
    created_at: str
    by: str
    waiting: int = 0  # messages not taken yet
    answer: str = ""
    answered_at: str | None = None


class WebhookMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new webhook. `secret` is shown this once."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"WebhookMade({self.webhook!r})"


class MessageState(enum.Enum):
    """What became of a message."""

    WAITING = "waiting"  # not tried, or to be tried again
    TAKEN = "taken"  # answered with 2xx
    GIVEN_UP = "given_up"  # not taken within a day, or too many waited


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one receiver; its id is the same at every try."""

    id: str
    kind: str
    subject: str
    state: MessageState
    tries: int
    created_at: str
    next_at: str | None = None
    answer: str = ""
    answered_at: str | None = None


class WebhookDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its newest messages."""

    webhook: Webhook
    messages: tuple[WebhookMessage, ...]
