"""Errors: a code, a sentence, its parameters and the next command.

    LinesideError(code, **params)
      .problem.kind   what the caller can do (see `Kind`); also the HTTP status
      .message        one sentence, filled in
      .next           the next command or step, filled in

Codes live in one table (`error_codes.py`); a code that is not there cannot be raised.
"""

from __future__ import annotations

import enum
import re
from typing import Any

import msgspec


class Kind(enum.IntEnum):
    """What the caller can do about an error. The value is the HTTP status it travels under."""

    REFUSED = 400  # change the request
    UNAUTHENTICATED = 401  # say who you are
    FORBIDDEN = 403  # ask somebody who may
    MISSING = 404  # name something that exists
    CONFLICT = 409  # look at the present state first
    TOO_LARGE = 413  # send less
    CORRUPT = 422  # the bytes are not what was named or signed
    TOO_MANY = 429  # wait
    INTERNAL = 500  # tell the people who build Lineside
    UNAVAILABLE = 503  # try again later


class Problem(msgspec.Struct, frozen=True):
    """One row of the error table; `sentence` and `next` are `str.format` templates over the parameters. `listed`: what
    the reference says in place of a `next` that is known only when the error is raised."""

    code: str
    kind: Kind
    sentence: str
    next: str
    listed: str = ""


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it travels: in API answers, device reports and events."""

    code: str
    message: str
    next: str = ""
    params: dict[str, str] = {}

    def on(self, device: str) -> ErrorReport:
        """The same where the device it came from is known: the next step names that device, not DEVICE."""
        return msgspec.structs.replace(self, next=re.sub(r"\bDEVICE\b", lambda _: device, self.next))


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


class LinesideError(Exception):
    """Any refusal or failure Lineside can explain."""

    def __init__(self, code: str, /, **params: Any) -> None:
        from lineside.contract.error_codes import PROBLEMS
        from lineside.contract.error_codes.general import WHERE

        self.problem = PROBLEMS[code]
        self.params = {name: str(value) for name, value in params.items()}
        self.message = _ended_once(self.problem.sentence.format_map(_Blank(self.params)))
        where = WHERE.get(self.params.get("what", ""), "See lineside --help")
        self.next = self.problem.next.format_map(_Blank({"where": where} | self.params))
        super().__init__(f"{code}: {self.message}")

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def kind(self) -> Kind:
        return self.problem.kind

    def report(self) -> ErrorReport:
        """The error as a value that can be sent or stored."""
        return ErrorReport(code=self.code, message=self.message, next=self.next, params=self.params)


def _ended_once(sentence: str) -> str:
    """What other programs say often ends with a full stop already."""
    return sentence[:-1] if sentence.endswith("..") and not sentence.endswith("...") else sentence


class RemoteError(LinesideError):
    """An error that the other side reported; keeps its words even if this side's table has no such code."""

    def __init__(self, report: ErrorReport, status: int) -> None:
        kind = _kind_of(status)
        self.problem = Problem(report.code, kind, report.message, report.next)
        self.params = dict(report.params)
        self.message, self.next = report.message, report.next
        Exception.__init__(self, f"{report.code}: {report.message}")


_OF_PROXIES = (408, 502, 504)
"""What a reverse proxy says while the control plane behind it is away, or too slow. We never say it ourselves."""


def _kind_of(status: int) -> Kind:
    if status in _OF_PROXIES:
        return Kind.UNAVAILABLE
    return Kind(status) if status in Kind.__members__.values() else Kind.INTERNAL
