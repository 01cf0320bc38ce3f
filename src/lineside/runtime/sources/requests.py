"""Requests by topic: `{"filepath": …}` in, the result or a typed error out, over MQTT (`requests_mqtt`) or the device's
local bus (`requests_bus`). Paths are confined to the folders of the configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, Literal, NamedTuple

import msgspec

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.result import Result
from lineside.runtime.frames import Frame, Intake
from lineside.runtime.sources.confined import read_confined
from lineside.runtime.sources.threaded import ThreadedSource

ROOM = 1000
"""Requests that wait; what comes beyond is answered with `runtime.busy`."""
MAX_REQUEST = 64 << 10
"""Bytes of a request."""
_LOOK = 0.5


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="requests"):
    """`over`: the broker, or the device's local bus; `topic`: where requests come in; `answers`: where answers go,
    `TOPIC/answers` when it is empty; `folders`: what requests may name files of ("inbox" is the agent's, other relative
    paths lie beside it)."""

    topic: str
    over: Literal["mqtt", "bus"] = "mqtt"
    answers: str = ""
    folders: tuple[str, ...] = ("inbox",)


class Request(msgspec.Struct, frozen=True):
    """What is asked. `id`, if given, comes back with the answer."""

    filepath: str
    id: str = ""


_UNREAD = Request("")


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer: a result, or an error."""

    filepath: str = ""
    id: str = ""
    result: Result | None = None
    error: ErrorReport | None = None


class Asked(NamedTuple):
    """A message, and what is called when it was answered."""

    payload: bytes
    acknowledge: Callable[[], Any]


class RequestSource(ThreadedSource):
    """Files that others name, one by one. What carries requests and answers is a subclass's: it hands in what comes by
    `hear`, from any thread."""

    comes_back = False
    """Whether a request that was not answered comes again. Else one that is open at the end is told that it is over."""

    def __init__(self, name: str, settings: RequestSettings, folders: Sequence[Path]) -> None:
        super().__init__(name, live=False)
        self.topic = settings.topic
        self.answers = settings.answers or f"{settings.topic}/answers"
        self._folders = folders
        self._waiting: Queue[Asked] = Queue(ROOM)
        self._open: dict[int, tuple[Asked, Request]] = {}  # by the address of what was asked: not answered yet

    def open(self) -> None:
        """Begins to hear. Raises `LinesideError` for what no wait will mend."""
        raise NotImplementedError

    def say(self, answer: bytes) -> None:
        """Publishes an answer, from any thread; does not wait."""
        raise NotImplementedError

    def close(self) -> None:
        """Hears no more."""
        raise NotImplementedError

    def hear(self, asked: Asked) -> None:
        """A request has come, whatever its bytes are."""
        self._open[id(asked)] = (asked, _UNREAD)
        try:
            self._waiting.put_nowait(asked)
        except Full:
            self.answer(asked, _UNREAD, LinesideError("runtime.busy", room=ROOM, source=self.name))

    def run(self, intake: Intake) -> None:
        """Raises `config.invalid`, and what `open` raises."""
        if self.topic == self.answers:
            raise LinesideError("config.invalid", path=self.name, why="its answers would come back as requests")
        if not self._folders:
            raise LinesideError("config.invalid", path=self.name, why="folders is empty: no file could be named")
        self.open()
        try:
            while not self.stopping.is_set():
                try:
                    asked = self._waiting.get(timeout=_LOOK)
                except Empty:
                    continue
                self._take(intake, asked)
        finally:
            for asked, request in list(self._open.values()):
                self.answer(asked, request, LinesideError("runtime.stopping"))
            self.close()

    def _take(self, intake: Intake, asked: Asked) -> None:
        request = _UNREAD
        self.brought()
        try:
            request = _request(asked.payload)
            self._open[id(asked)] = (asked, request)
            path, data, changed = read_confined(request.filepath, self._folders)
        except LinesideError as error:
            frame = Frame(self.name, request.filepath, b"", time.time(), time.monotonic())
            frame.reply = partial(self.answer, asked, request)
            intake.refuse(frame, error)
            return
        reply = partial(self.answer, asked, request)
        if not intake.offer(Frame(self.name, path.name, data, changed, time.monotonic(), reply=reply)):
            reply(LinesideError("runtime.stopping"))

    def answer(self, asked: Asked, request: Request, answer: Result | LinesideError) -> None:
        """From whichever thread has the answer; the first one counts. A source that stops gives none to a request that
        comes again."""
        if self.comes_back and isinstance(answer, LinesideError) and answer.code == "runtime.stopping":
            return
        if self._open.pop(id(asked), None) is None:
            return
        if request == _UNREAD:
            request = _as_far_as_read(asked.payload)
        if isinstance(answer, LinesideError):
            answered = Answered(filepath=request.filepath, id=request.id, error=answer.report())
        else:
            answered = Answered(filepath=request.filepath, id=request.id, result=answer)
        self.say(msgspec.json.encode(answered))
        asked.acknowledge()


def _as_far_as_read(payload: bytes) -> Request:
    """Which request is refused before its turn, so that who asked knows the answer; nothing for one that is none."""
    try:
        return _request(payload)
    except LinesideError:
        return _UNREAD


def _request(payload: bytes) -> Request:
    if len(payload) > MAX_REQUEST:
        raise LinesideError("request.invalid", why=f"it has {len(payload)} bytes, over the limit of {MAX_REQUEST}")
    try:
        return msgspec.json.decode(payload, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LinesideError("request.invalid", why=error) from error
