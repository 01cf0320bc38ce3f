"""Kinds of errors by the HTTP status that they came with."""

from __future__ import annotations

import pytest

from lineside.contract.errors import ErrorReport, Kind, LinesideError, RemoteError
from lineside.pipeline.control import is_away

REPORT = ErrorReport(code="client.bad_answer", message="No reason.")


@pytest.mark.parametrize("kind", Kind)
def test_our_own_statuses_stay_what_they_are(kind: Kind) -> None:
    assert RemoteError(REPORT, int(kind)).kind is kind


@pytest.mark.parametrize("status", [408, 502, 503, 504])
def test_what_a_proxy_says_of_a_control_plane_that_is_away_is_waited_out(status: int) -> None:
    error = RemoteError(REPORT, status)
    assert error.kind is Kind.UNAVAILABLE
    assert is_away(error)


@pytest.mark.parametrize("status", [418, 500, 501, 599])
def test_what_nobody_knows_is_not_waited_for(status: int) -> None:
    assert RemoteError(REPORT, status).kind is Kind.INTERNAL


@pytest.mark.parametrize(
    ("why", "end"), [("it is gone", "it is gone."), ("it is gone.", "it is gone."), ("it…", "it….")]
)
def test_a_sentence_that_quotes_a_sentence_ends_once(why: str, end: str) -> None:
    assert LinesideError("model.unreadable", why=why).message == f"ONNX Runtime cannot load the model file: {end}"
    assert LinesideError("model.unreadable", why=f"{why}..").message.endswith("...")
