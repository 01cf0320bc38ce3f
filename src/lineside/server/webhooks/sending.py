"""One try to hand a message to its receiver, over HTTP, and when to try again. What happens is said, not raised."""

from __future__ import annotations

import random
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

import lineside
from lineside.contract.errors import LinesideError
from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, sign
from lineside.server.webhooks.deadline import Deadline, watched

TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
LONGEST_TRY = 20.0
"""Seconds that one try may take in all."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0
"""Seconds before the second try, and at most between two."""

_READ = 200  # bytes of an answer that are kept
_LONGEST_URL = 2000


@dataclass(frozen=True)
class Answer:
    """What a try came to."""

    taken: bool
    words: str


def check_url(url: str) -> None:
    """Whether something can be told there. Raises `webhook.url`."""
    try:
        parts = urlsplit(url)
        port_is_good = parts.port is None or 0 < parts.port < 65536
    except ValueError as error:
        raise LinesideError("webhook.url", url=url[:200], why=str(error)) from error
    if parts.scheme not in ("http", "https"):
        raise LinesideError("webhook.url", url=url[:200], why="it is no http or https address")
    if not parts.hostname or not port_is_good or len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise LinesideError("webhook.url", url=url[:200], why="it is no address")
    if parts.username is not None or parts.password is not None:
        raise LinesideError("webhook.url", url="It", why="it has a password in it, which many would see")


def pool() -> urllib3.PoolManager:
    """Connections to receivers: no redirects, no tries of its own."""
    return watched(urllib3.PoolManager(num_pools=50, maxsize=2, retries=False, timeout=TIMEOUT))


def send(connections: urllib3.PoolManager, url: str, key: bytes, id_: str, body: bytes, timestamp: int) -> Answer:
    """Hand over a message, signed for this try."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"lineside/{lineside.__version__}",
        ID: id_,
        TIMESTAMP: str(timestamp),
        SIGNATURE: sign(key, id_, timestamp, body),
    }
    with Deadline(LONGEST_TRY) as deadline:
        answer = _asked(connections, url, headers, body)
    return Answer(False, f"no answer: it was not over after {LONGEST_TRY:g} s") if deadline.over else answer


def _asked(connections: urllib3.PoolManager, url: str, headers: dict[str, str], body: bytes) -> Answer:
    try:
        answer = connections.request(
            "POST", url, body=body, headers=headers, redirect=False, preload_content=False, decode_content=False
        )
        try:
            said = answer.read(_READ).decode(errors="replace")
        finally:
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return Answer(False, _plain(f"no answer: {_reason(error)}"))
    return Answer(200 <= answer.status < 300, _plain(f"{answer.status} {said}"))


def wait_after(tries: int) -> float:
    """Seconds until the next try: twice as long each time, and not all at the same moment."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(tries - 1, 20))
    return longest * random.uniform(0.5, 1.0)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).rpartition(": ")[2] or type(error).__name__


def _plain(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:300]
