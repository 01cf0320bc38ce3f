"""Answers to what people ask of this device: the last lines of a log, what is printed from now on, a diagnosis; of a
twin also what the tests of its components come to.

`look` is called after each poll and starts a thread when something is asked; the thread ends with the last answer. One
part is under way at a time, at most `MAX_PART` bytes, and a log that is followed sends one each `TICK` at most, so that
a component that prints without end costs little. An answer is dropped when the control plane does not want it any more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any, Protocol

from lineside.agent.backoff import Backoff
from lineside.agent.link.error import LinkError
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.processes import StopSignal, Wake, wait_any
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.inquiry import MAX_PART, CheckResult, Inquiry, InquiryKind, InquiryPart, LivePicture
from lineside.contract.twin import TestResult, TwinAnswer

TICK = 0.5
"""Seconds between two looks at a log that is followed."""
REFRESH = 10.0
"""Seconds after which the control plane is asked again what it still wants."""
PICTURE_SECONDS = 1.0
"""Seconds between two live pictures, at least."""
PIECE = MAX_PART // 3
"""Bytes of a log in one part: what is not UTF-8 grows to three times its size as text."""

_log = logging.getLogger(__name__)


class LogReader(Protocol):
    """One log, read on from where the last call ended."""

    def read(self, limit: int) -> bytes:
        """At most `limit` bytes of whole lines; nothing when there is no more now."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class Sources(Protocol):
    """Where answers come from."""

    def log(self, component: str | None, lines: int) -> LogReader:
        """The log of a component, or the agent's own, from `lines` lines before its end. Raises `inquiry.no_log`."""
        ...

    def checks(self) -> Iterator[CheckResult]:
        """The diagnostic checks, each as it is done."""
        ...

    def picture(self, component: str | None) -> LivePicture | None:
        """What a component's runtime decided on last, since the call before. Raises `inquiry.no_picture`."""
        ...

    def trials(self) -> Trials:
        """The tests that components carry. Raises `twin.not_a_twin`."""
        ...


class Trials(Protocol):
    """Tests under way, and what is measured after them."""

    def take(self) -> TestResult | None:
        """The next result; None when there is none by now. Raises what kept the tests from going on."""
        ...

    @property
    def over(self) -> bool:
        """Whether there will be no more."""
        ...

    def measured(self) -> TwinAnswer:
        """What runs now, with what it used at most."""
        ...

    def close(self) -> None:
        """End what is still under way."""
        ...


class Inquiries:
    """What people ask of one device."""

    def __init__(self, device: str, control: ControlPlane, sources: Sources, stop: StopSignal) -> None:
        self._device, self._control, self._sources, self._stop = device, control, sources, stop
        self._wake = Wake()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin to answer if the last poll said that something is asked; returns at once."""
        if not self._control.asked() or self._stop.is_set():
            return
        with self._lock:
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="inquiries", daemon=True)
                self._thread.start()

    def join(self, timeout: float = 5.0) -> None:
        """Wait until the thread, if there is one, has noticed the stop signal."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        answers: dict[str, _Answer] = {}
        try:
            self._answer_all(answers)
        finally:
            for answer in answers.values():
                answer.close()
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _answer_all(self, answers: dict[str, _Answer]) -> None:
        refresh, backoff = 0.0, Backoff()
        while not self._stop.is_set():
            wait = TICK
            try:
                if self._wake.is_set() or time.monotonic() >= refresh:
                    self._wake.clear()
                    self._refresh(answers)
                    refresh = time.monotonic() + REFRESH
                busy = [self._step(answer) for answer in list(answers.values())]
                backoff.worked()
                wait = 0.0 if any(busy) else TICK
            except (LinkError, RemoteError) as error:
                wait = backoff.after(error, 0.0)
                _log.info("answers wait: %s", error.message)
            self._drop(answers)
            with self._lock:
                if not answers and not self._wake.is_set():
                    self._thread = None
                    return
            wait_any((self._stop,), wait)

    def _refresh(self, answers: dict[str, _Answer]) -> None:
        """Take up what is new, and drop what is not asked any more."""
        asked = {inquiry.id: inquiry for inquiry in self._control.inquiries()}
        for id_ in answers.keys() - asked.keys():
            answers[id_].ended = True
        for id_, inquiry in asked.items():
            if id_ not in answers:
                _log.info("asked for %s of %s", inquiry.request.kind.value, inquiry.request.component or "the agent")
                answers[id_] = _Answer(self._device, inquiry, self._sources)
            answers[id_].extend(inquiry)

    def _step(self, answer: _Answer) -> bool:
        """Send the next part, if there is one; whether the one after it may follow at once."""
        part = answer.part()
        if part is None or answer.ended:
            return False
        try:
            answer.sent(part, self._control.answer(answer.id, part))
        except RemoteError as error:
            _log.info("%s", error.message)
            answer.ended = True
        return not answer.follows and not answer.ended

    @staticmethod
    def _drop(answers: dict[str, _Answer]) -> None:
        for id_, answer in list(answers.items()):
            if answer.ended or answer.expired():
                answers.pop(id_).close()


class _Answer:
    """An answer under way. A part that could not be sent is the next one again."""

    def __init__(self, device: str, inquiry: Inquiry, sources: Sources) -> None:
        self.id, self.follows, self.ended = inquiry.id, inquiry.request.follow, False
        self._device, self._number, self._deadline = device, inquiry.next_part, 0.0
        self._waiting: InquiryPart | None = None
        self._parts = _parts(inquiry, sources)

    def extend(self, inquiry: Inquiry) -> None:
        """It is wanted for this much longer."""
        self._deadline = time.monotonic() + inquiry.ttl_seconds

    def expired(self) -> bool:
        return time.monotonic() > self._deadline

    def part(self) -> InquiryPart | None:
        """The next part; None when there is nothing to say now."""
        if self._waiting is None:
            content = self._content()
            self._waiting = None if content is None else InquiryPart(number=self._number, **content)
        return self._waiting

    def sent(self, part: InquiryPart, inquiry: Inquiry) -> None:
        """It is stored; `inquiry` says what is wanted further."""
        self._waiting = None
        self._number = max(part.number + 1, inquiry.next_part)
        self.extend(inquiry)
        self.ended = part.done

    def close(self) -> None:
        self._parts.close()

    def _content(self) -> dict[str, Any] | None:
        try:
            return next(self._parts, {"done": True})
        except LinesideError as error:
            return {"error": error.report(), "done": True}
        except Exception as error:  # noqa: BLE001 whatever a check meets, whoever asked is told
            _log.exception("an answer failed")
            why = f"{type(error).__name__}: {error}"
            return {"error": LinesideError("inquiry.failed", device=self._device, why=why).report(), "done": True}


_Parts = Generator[dict[str, Any] | None, None, None]


def _parts(inquiry: Inquiry, sources: Sources) -> _Parts:
    """What each part holds besides its number, or None for "nothing now"."""
    if inquiry.request.kind is InquiryKind.DIAGNOSE:
        return _diagnosis(sources)
    if inquiry.request.kind is InquiryKind.MEASURE:
        return _measurement(sources)
    if inquiry.request.kind is InquiryKind.PICTURE:
        return _pictures(inquiry, sources)
    return _lines(inquiry, sources)


def _diagnosis(sources: Sources) -> _Parts:
    for check in sources.checks():
        yield {"checks": (check,)}


def _measurement(sources: Sources) -> _Parts:
    trials = sources.trials()
    try:
        while not trials.over:
            result = trials.take()
            yield None if result is None else {"test": result}
        yield {"measured": trials.measured()}
    finally:
        trials.close()


def _pictures(inquiry: Inquiry, sources: Sources) -> _Parts:
    """At most one a `PICTURE_SECONDS`; the first that there is, unless more are wanted."""
    yield {"text": ""}  # a sign of life
    taken = False
    while inquiry.request.follow or not taken:
        due = time.monotonic() + PICTURE_SECONDS
        picture = sources.picture(inquiry.request.component)
        taken = taken or picture is not None
        yield None if picture is None else {"picture": picture}
        while time.monotonic() < due and (inquiry.request.follow or not taken):
            yield None


def _lines(inquiry: Inquiry, sources: Sources) -> _Parts:
    reader = sources.log(inquiry.request.component, inquiry.request.lines)
    try:
        if inquiry.request.follow:
            yield {"text": reader.read(PIECE).decode("utf-8", "replace")}  # even if empty: a sign of life
        while (data := reader.read(PIECE)) or inquiry.request.follow:
            yield {"text": data.decode("utf-8", "replace")} if data else None
    finally:
        reader.close()
