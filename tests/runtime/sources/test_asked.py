"""Requests from within the process."""

from __future__ import annotations

import threading

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime.sources.asked import AskedSource
from tests.eventually import eventually
from tests.runtime.results import result
from tests.runtime.sources.intake import Remembering


def test_who_asks_from_within_waits_for_the_result() -> None:
    source, intake = AskedSource("api", room=1), Remembering()
    source.start(intake)
    heard: list[Result] = []
    asking = threading.Thread(target=lambda: heard.append(source.ask(b"image", "a.png")))
    asking.start()
    eventually(lambda: intake.frames)
    with pytest.raises(LinesideError) as caught:
        source.ask(b"another")
    assert caught.value.code == "runtime.busy"
    assert intake.frames[0].reply
    intake.frames[0].reply(result("a.png"))
    asking.join(60)
    assert heard == [result("a.png")]


def test_who_asks_from_within_hears_what_is_wrong() -> None:
    source, intake = AskedSource("api"), Remembering()
    with pytest.raises(LinesideError, match="stops"):
        source.ask(b"image")
    source.start(intake)
    with pytest.raises(LinesideError, match=r"runtime\.no_answer"):
        source.ask(b"image", seconds=0.01)
    intake.offer = lambda frame: frame.reply(LinesideError("image.unsupported", why="it is empty")) or True
    with pytest.raises(LinesideError, match=r"image\.unsupported"):
        source.ask(b"image")
    intake.close()
    del intake.offer
    with pytest.raises(LinesideError, match="stops"):
        source.ask(b"image")
