"""Versions of schemas: told in a header, heard, and the newest that both know is spoken."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.capture import CAPTURE_SCHEMA, CaptureRecord
from lineside.contract.errors import LinesideError
from lineside.contract.result import RESULT_SCHEMA, Detection, Result
from lineside.contract.schema_versions import CAPTURES, FIXED, RESULTS, Schema, heard, said
from tests.runtime.results import result
from tests.schema_versions import LATER, NEW, OLD, read, read_capture, write, write_capture

DENT = Detection(label="dent", class_index=0, confidence=0.5, x=1.5, y=2.0, width=3.0, height=4.0)
ONE = result("a.png", 7, (DENT,))
FIRST, SECOND = msgspec.json.encode(ONE), write(ONE)


def test_the_made_up_version_says_the_same_in_other_words() -> None:
    assert read(SECOND) == ONE
    assert msgspec.json.decode(SECOND)["objects"][0]["box"] == [1.5, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("payload", "version"),
    [
        (FIRST, 1),
        (SECOND, 2),
        (b'{ "sequence": 1, "schema" : "lineside.result/12" }', 12),
        (b'{"schema":"lineside.result/9999"}', 9999),
        (b'{"schema":"lineside.result/99999"}', None),
        (b'{"schema":"lineside.result/01"}', None),
        (b'{"schema":"lineside.result/', None),
        (b'{"schema":"lineside.result/\xff"}', None),
        (b'{"schema":"lineside.results/1"}', None),
        (b'{"sequence":1}', None),
        (b"no json", None),
    ],
)
def test_each_result_says_its_version(payload: bytes, version: int | None) -> None:
    assert RESULTS.version_of(payload) == version


@pytest.mark.parametrize(
    ("header", "versions"),
    [("1", (1,)), ("2, 1", (1, 2)), ("2,3", (2, 3)), ("", (1,)), ("all", (1,)), ("2;q=1, 3", (3,)), ("0, -1", (1,))],
)
def test_a_control_plane_that_says_nothing_of_use_takes_the_first(header: str, versions: tuple[int, ...]) -> None:
    assert heard(header) == versions


def test_what_is_told_is_heard_and_can_be_read() -> None:
    assert heard(said((3, 1, 2))) == (1, 2, 3)
    for schema, newest in ((RESULTS, RESULT_SCHEMA), (CAPTURES, CAPTURE_SCHEMA)):
        assert set(schema.told) <= set(schema.forms)
        assert f"{schema.name}/{max(schema.forms)}" == newest


def test_every_release_writes_the_version_that_users_were_promised() -> None:
    assert (FIXED, RESULTS.forms[FIXED].write(ONE)) == (1, FIRST)


@pytest.mark.parametrize(
    ("payload", "schema", "wanted"),
    [(FIRST, NEW, FIRST), (SECOND, NEW, FIRST), (SECOND, OLD, SECOND), (b"x", OLD, b"x")],
)
def test_users_systems_get_that_version_and_of_what_cannot_be_read_what_there_is(
    payload: bytes, schema: Schema[Result], wanted: bytes
) -> None:
    assert schema.fixed(payload) == wanted


@pytest.mark.parametrize(
    ("payload", "taken", "schema", "wanted"),
    [
        (FIRST, (1,), OLD, FIRST),  # today
        (SECOND, (1,), NEW, FIRST),  # a new device, a control plane of today
        (SECOND, (1, 2), NEW, SECOND),  # both new
        (FIRST, (1, 2), OLD, FIRST),  # a device that was off for a month
        (FIRST, (1, 2), NEW, FIRST),  # decided before the device was upgraded
        (FIRST, (2,), NEW, SECOND),
        (SECOND, (1, 2), OLD, SECOND),  # the device went back a release: it passes on what it cannot read
    ],
)
def test_the_newest_version_that_both_know_is_spoken(
    payload: bytes, taken: tuple[int, ...], schema: Schema[Result], wanted: bytes
) -> None:
    assert schema.spoken(payload, taken) == wanted


@pytest.mark.parametrize(
    ("payload", "taken", "schema"), [(FIRST, (2, 3), OLD), (SECOND, (1,), LATER), (SECOND, (1,), OLD)]
)
def test_without_one_nothing_is_said(payload: bytes, taken: tuple[int, ...], schema: Schema[Result]) -> None:
    with pytest.raises(LinesideError) as caught:
        schema.spoken(payload, taken)
    assert caught.value.code == "result.no_common_version"
    assert f"takes version {said(taken)}" in caught.value.message


def test_what_is_no_result_goes_as_it_is() -> None:
    assert RESULTS.spoken(b'{"sequence":1}', (2,)) == b'{"sequence":1}'


def test_a_further_field_changes_no_version() -> None:
    more = msgspec.json.encode(msgspec.to_builtins(ONE) | {"mood": "good"})
    assert RESULTS.forms[1].read(more) == ONE
    assert RESULTS.spoken(more, (1,)) == more


KEPT = CaptureRecord(
    id="a",
    device="cam-1",
    digest="sha256:" + "0" * 64,
    size=5,
    content_type="image/jpeg",
    strategy="random",
    reason="1 in 20",
    captured_at="2026-01-01T00:00:00.000Z",
    result=ONE,
)


def test_captures_have_versions_of_their_own() -> None:
    first, second = msgspec.json.encode(KEPT), write_capture(KEPT)
    assert [CAPTURES.version_of(one) for one in (first, second, FIRST)] == [1, 2, None]
    assert read_capture(second) == KEPT == CAPTURES.forms[1].read(first)


def test_a_capture_holds_no_result_of_another_version_than_its_own() -> None:
    """`objects` of the next version, read as this one's, would be an image on which nothing was found."""
    mixed = msgspec.json.encode(msgspec.to_builtins(KEPT) | {"result": msgspec.json.decode(SECOND)})
    with pytest.raises(msgspec.ValidationError, match=r"lineside.result/2"):
        CAPTURES.forms[1].read(mixed)
