"""What devices tell of drift is believed only as far as it makes sense, whatever they send."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.drift import MOST_CLASSES, DriftWindow, Sketch, is_drift, sketch_of
from lineside.contract.errors import LinesideError
from lineside.server.drift import store
from lineside.server.drift.service import MOST_STREAMS, DriftService
from lineside.server.drift.store import DriftWindowRow, StreamRow
from lineside.server.drift.taking import MAX_BYTES, read
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.drift.telling import FILE, payload, rows, window


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"schema": "lineside.drift/9"}, "its schema"),
        ({"device": "cam-2"}, "it says it is of"),
        ({"component": "../up"}, "no component name"),
        ({"source": "a\nb"}, "name of its source"),
        ({"source": "a" * 200}, "name of its source"),
        ({"digest": "sha256:no"}, "model or digest"),
        ({"model": "\0"}, "model or digest"),
        ({"seconds": 0.0}, "seconds"),
        ({"seconds": 1e9}, "seconds"),
        ({"version": 2**40}, "version"),
        ({"k": 3, "n": 2}, "3 of 2 windows"),
        ({"k": 0}, "0 of 3 windows"),
        ({"n": 10**6}, "windows"),
        ({"frames": -1}, "frames"),
        ({"frames": 2**62}, "frames"),
        ({"classes": {f"c{number}": 1 for number in range(MOST_CLASSES + 1)}}, "classes"),
        ({"classes": {"dent": -5}}, "classes"),
        ({"classes": {"a\0": 5}}, "classes"),
        ({"sketches": {"brightness": Sketch(counts=(1, 2), mean=1.0)}}, "'brightness'"),
        ({"sketches": {"brightness": Sketch(counts=(-1,) * 32, mean=1.0)}}, "'brightness'"),
        ({"sketches": {"brightness": Sketch(counts=(1,) * 32, mean=1e300)}}, "'brightness'"),
        ({"sketches": {"brightness": Sketch(counts=(1,) * 32, mean=1.0, m2=-1.0)}}, "'brightness'"),
        ({"sketches": {"brightness": Sketch(counts=(1,) * 32, edges=(0.0,) * 33)}}, "'brightness'"),
        ({"sketches": {"faces": Sketch(counts=(1,) * 32)}}, "'faces'"),
        ({"began_at": "yesterday"}, "yesterday"),
        ({"began_at": "2025-12-01T00:00:00.000Z"}, "clock is behind"),
        ({"began_at": "0001-01-01T00:00:00+23:00"}, "out of range"),
    ],
)
def test_what_makes_no_sense_is_refused_and_stored_nowhere(
    core: Core, drift: DriftService, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(LinesideError, match=why) as caught:
        drift.receive("cam-1", payload(window(core, **fields)))
    assert caught.value.code == "drift.invalid"
    assert rows(core, StreamRow) == rows(core, DriftWindowRow) == []


def test_a_message_that_is_too_large_is_not_read(core: Core) -> None:
    with pytest.raises(LinesideError, match=f"over {MAX_BYTES}"):
        read("cam-1", payload(window(core)) + b" " * MAX_BYTES)


def test_a_device_cannot_fill_the_database(
    core: Core, drift: DriftService, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MOST_STREAMS):
        drift.take("cam-1", payload(window(core, source=f"s{number}", sketches={}, classes={})))
    with pytest.raises(LinesideError, match="too many components and sources"):
        drift.take("cam-1", payload(window(core, source="one-more")))
    monkeypatch.setattr(store, "MOST_WINDOWS", 5)
    for _ in range(12):
        clock.advance(1)
        drift.take("cam-1", payload(window(core, source="s0", seconds=1.0, sketches={}, classes={})))
    stream = next(row for row in rows(core, StreamRow) if row.source == "s0")
    assert len([row for row in rows(core, DriftWindowRow) if row.stream == stream.id]) == 5


def test_old_windows_are_forgotten(core: Core, drift: DriftService, clock: FakeClock) -> None:
    drift.take("cam-1", payload(window(core)))
    clock.advance(9 * 86_400)
    drift.take("cam-1", payload(window(core)))
    assert len(rows(core, DriftWindowRow)) == 1


_A_WINDOW = DriftWindow(
    device="cam-1", component="a", source="b", model="tags", version=1, digest=FILE, seconds=600.0, frames=1,
    began_at="2026-01-01T00:00:00.000Z", sketches={"brightness": sketch_of("brightness", [1.0])}, classes={"dent": 1},
)  # fmt: skip
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["device", "sketches", "classes", "began_at", "seconds", "frames", "digest", "model"]), _json)
def test_whatever_is_sent_is_a_window_or_refused(field: str, value: Any) -> None:
    plain = msgspec.to_builtins(_A_WINDOW)
    sent = msgspec.json.encode({**plain, field: value})
    assert is_drift(sent)
    with contextlib.suppress(LinesideError):
        assert read("cam-1", sent).device == "cam-1"
