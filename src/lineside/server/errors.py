"""Errors as HTTP answers: always `{"error": ErrorReport}`; what nobody explained goes to the log with its traceback."""

from __future__ import annotations

import traceback
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import DataError

from lineside.contract.errors import ErrorReport, Kind, LinesideError
from lineside.contract.reading import UNREADABLE

_log = structlog.get_logger("lineside.http")

AnyRequest = Request[Any, Any, Any]


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: ErrorReport


def answer(report: ErrorReport, status: int, headers: dict[str, str] | None = None) -> Response[ErrorBody]:
    """An error as an answer."""
    return Response(ErrorBody(report), status_code=status, media_type="application/json", headers=headers)


def explained(request: AnyRequest, error: LinesideError) -> Response[ErrorBody]:
    """An error Lineside can explain: its kind is the status."""
    if error.kind is Kind.INTERNAL:
        _log.error("request failed", path=request.url.path, code=error.code, why=error.message)
    after = error.params.get("after")  # seconds, of an error that passes
    return answer(error.report(), int(error.kind), {"Retry-After": after} if after else None)


def from_framework(request: AnyRequest, error: HTTPException) -> Response[ErrorBody]:
    """What the framework refused before a handler ran: bad body or parameter, unknown path, wrong method, too large."""
    if error.status_code >= 500:
        return unexpected(request, error)
    if error.status_code == 404:
        report = LinesideError("request.no_such_path", path=request.url.path).report()
    elif error.status_code == 405:
        report = LinesideError("request.wrong_method", path=request.url.path, method=request.method).report()
    elif error.status_code == 413:
        report = LinesideError("request.too_large").report()
    else:
        report = LinesideError("request.invalid", why=_why(error)).report()
    return answer(report, error.status_code, error.headers)


def unexpected(request: AnyRequest, error: Exception) -> Response[ErrorBody]:
    """A failure nobody foresaw: the traceback is for the log, the caller only learns the kind of error."""
    if isinstance(error, UNREADABLE) and _in_decoder(error):
        report = LinesideError("request.invalid", why=f"the body cannot be read ({type(error).__name__})").report()
        return answer(report, int(Kind.REFUSED))
    if isinstance(error, DataError) or _too_large(
        error
    ):  # too long, a NUL, …: what is checked nowhere is refused there
        _log.warning("value refused by the database", path=request.url.path, method=request.method, why=str(error))
        report = LinesideError("request.invalid", why="a value in it is one that cannot be stored").report()
        return answer(report, int(Kind.REFUSED))
    _log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    report = LinesideError("internal.unexpected", why=type(error).__name__).report()
    return answer(report, int(Kind.INTERNAL))


def _too_large(error: Exception) -> bool:
    """Whether SQLite's driver raised it, for an integer of more than 64 bits."""
    return isinstance(error, OverflowError) and "SQLite" in str(error)


def _in_decoder(error: Exception) -> bool:
    """Whether the framework's reader of bodies raised it: it refuses only some of what it cannot read."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__", "").startswith("litestar.serialization")


def _why(error: HTTPException) -> str:
    details = [f"{item.get('key', 'body')}: {item.get('message', '')}" for item in _items(error.extra)]
    return "; ".join(details) if details else error.detail.rstrip(".")


def _items(extra: object) -> list[dict[str, Any]]:
    return [item for item in extra if isinstance(item, dict)] if isinstance(extra, list) else []


HANDLERS: dict[Any, Any] = {LinesideError: explained, HTTPException: from_framework, Exception: unexpected}
