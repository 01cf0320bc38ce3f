"""Results to an HTTPS address: one POST a batch, signed, tried again until it is answered with 2xx. A batch that is
too large (413) is halved, down to a single result; one that is too large by itself is set aside (`refused`).

    {"schema": "lineside.results/1", "device": …, "results": [Result, …], "events": [RuleEvent, …]}

`webhook-id` is `DEVICE-FIRST-LAST` with sequence numbers. A receiver may be given a result twice, after an answer was
lost; `device` and `sequence` tell. What is sent goes where the configuration says and nowhere else: an answer that
points elsewhere (3xx) is a failure.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

import lineside
from lineside.contract.errors import LinesideError
from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, secret_key, sign
from lineside.runtime.rules.messages import events_of
from lineside.runtime.sinks import Refused
from lineside.runtime.sinks.fixed import fixed
from lineside.runtime.sinks.settings import WebhookSinkSettings
from lineside.runtime.spool import Entry

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READ = 200  # bytes of an answer that are looked at
_CONNECT = 5.0  # seconds
_MOST = 1000
_TOO_LARGE = 413
_GROWS_AFTER = 20  # batches in a row that were taken
_Chosen = tuple[Entry, list[bytes]]  # a result, and its events
_LOST = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class WebhookSink:
    """Posts in the thread that calls `send`, over one connection that is kept."""

    def __init__(self, settings: WebhookSinkSettings, device: str, work: Path) -> None:
        """Relative files lie in the `work` folder. Raises `sink.invalid`."""
        self.durable = settings.durable
        self._settings, self._device = settings, device
        self._parts = _address(settings.url)
        self._path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        self._key = _key(settings, work)
        self._tls = _tls(settings.ca, work) if self._parts.scheme == "https" else None
        if not 0 < settings.seconds <= 600:
            raise _invalid("seconds", "it must be more than 0 and at most 600")
        if not 1 <= settings.batch <= _MOST:
            raise _invalid("batch", f"it must be 1 to {_MOST}")
        self._batch, self._taken = settings.batch, 0  # batches in a row
        self._reached = -1  # what was taken or refused of results that are given again after a failure
        self._connection: http.client.HTTPConnection | None = None
        self._arrived: list[int] = []
        self._aside: list[Refused] = []  # of the call of `send` that goes on
        self._refused: list[Refused] = []
        self._over = False  # the request's time

    def room(self) -> int:
        return self._batch

    def trouble(self) -> str:
        return ""  # `send` raises

    def send(self, entries: Sequence[Entry]) -> None:
        """Raises OSError when it was not taken."""
        chosen = [(entry, events_of(entry)) for entry in fixed(entries)]
        if self._settings.only_events:
            chosen = [(entry, events) for entry, events in chosen if events]
        while waiting := [each for each in chosen if each[0].sequence > self._reached]:
            self._post(waiting[: self._batch])
        aside = {each.sequence for each in self._aside}
        self._arrived += [entry.sequence for entry in entries if entry.sequence not in aside]
        self._refused += self._aside
        self._aside = []

    def refused(self) -> list[Refused]:
        refused, self._refused = self._refused, []
        return refused

    def settled(self) -> list[int]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, timeout: float) -> None:
        if self._connection is not None:
            self._connection.close()

    def _post(self, part: Sequence[_Chosen]) -> None:
        """Moves on by what was taken or set aside; after 413 to several by nothing, and less is given next."""
        first, last = part[0][0].sequence, part[-1][0].sequence
        status, words = self._answered(first, last, _body(self._device, part))
        if status == _TOO_LARGE and len(part) > 1:
            self._batch, self._taken = len(part) // 2, 0
            return
        answer = f"{self._parts.netloc} answers {status} {words}".rstrip()
        if status == _TOO_LARGE:
            self._aside.append(Refused(last, answer))
        elif 300 <= status < 400:
            raise OSError(f"{self._parts.netloc} answers {status}: results are not sent elsewhere")
        elif not 200 <= status < 300:
            raise OSError(answer)
        else:
            self._grow()
        self._reached = last

    def _grow(self) -> None:
        self._taken += 1
        if self._taken >= _GROWS_AFTER:
            self._batch, self._taken = min(2 * self._batch, self._settings.batch), 0

    def _answered(self, first: int, last: int, body: bytes) -> tuple[int, str]:
        headers = self._headers(f"{self._device}-{first}-{last}", body)
        kept = self._connection is not None
        try:
            return self._asked(headers, body)
        except _LOST:
            if not kept or self._over:
                raise
            return self._asked(headers, body)  # the other side had closed the connection meanwhile

    def _headers(self, id_: str, body: bytes) -> dict[str, str]:
        moment = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"lineside/{lineside.__version__}",
            ID: id_,
            TIMESTAMP: str(moment),
        }
        return headers | ({SIGNATURE: sign(self._key, id_, moment, body)} if self._key else {})

    def _asked(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """One request: its status and the beginning of its answer. The whole of it ends after `seconds`."""
        connection = self._connection or self._connected()
        line: socket.socket = connection.sock
        self._over = False
        timer = threading.Timer(self._settings.seconds, self._hang_up, (line,))
        timer.daemon = True
        timer.start()
        try:
            answer = self._answer(connection, headers, body)
            words = answer.read(_READ).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            if self._over:
                raise TimeoutError(f"{self._parts.netloc} does not answer in {self._settings.seconds:g} s") from error
            if isinstance(error, OSError):
                raise
            raise OSError(f"{self._parts.netloc} answers what is no HTTP: {type(error).__name__}") from error
        finally:
            timer.cancel()
        if not answer.isclosed() or answer.will_close:
            self._drop()
        return answer.status, " ".join("".join(one if one.isprintable() else " " for one in words).split())

    def _answer(
        self, connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes
    ) -> http.client.HTTPResponse:
        try:
            connection.request("POST", self._path, body, headers)
        except (BrokenPipeError, ConnectionResetError) as error:
            try:
                return connection.getresponse()  # who says 413 may hang up before it has read all
            except (OSError, http.client.HTTPException):
                raise error from None
        return connection.getresponse()

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=_CONNECT)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=_CONNECT, context=self._tls)
        connection.connect()
        connection.sock.settimeout(self._settings.seconds)
        self._connection = connection
        return connection

    def _hang_up(self, line: socket.socket) -> None:
        self._over = True
        with suppress(OSError):
            # not SSLSocket's own: it takes the encryption off first, and what is being sent then goes out in plain text
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _body(device: str, chosen: Sequence[_Chosen]) -> bytes:
    results = b",".join(entry.payload for entry, _ in chosen)
    events = b",".join(event for _, those in chosen for event in those)
    head = b'{"schema":"lineside.results/1","device":' + msgspec.json.encode(device)
    return head + b',"results":[' + results + b'],"events":[' + events + b"]}"


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError as error:
        raise _invalid("url", str(error)) from error
    if not good or parts.scheme not in ("http", "https"):
        raise _invalid("url", "it is no http or https address")
    if parts.username is not None or parts.password is not None:
        raise _invalid("url", "it has a password in it")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise _invalid("url", "http is for this machine alone; others need https")
    return parts


def _key(settings: WebhookSinkSettings, work: Path) -> bytes:
    if settings.secret and settings.secret_file:
        raise _invalid("secret_file", "secret is given, too")
    try:
        text = (work / settings.secret_file).read_text().strip() if settings.secret_file else settings.secret
        key = secret_key(text) if text else b""
    except (OSError, ValueError) as error:
        name = "secret_file" if settings.secret_file else "secret"
        raise _invalid(name, getattr(error, "strerror", None) or "it is no whsec_BASE64") from error
    if settings.secret_file and not key:
        raise _invalid("secret_file", "the file is empty")
    return key


def _tls(ca: str, work: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=work / ca if ca else None)
    except OSError as error:  # ssl.SSLError is one
        raise _invalid("ca", error.strerror or str(error)) from error


def _invalid(key: str, why: str) -> LinesideError:
    return LinesideError("sink.invalid", sink="webhook", key=key, why=why)
